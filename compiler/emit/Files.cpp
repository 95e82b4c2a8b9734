#include "compiler/emit/Files.h"

#include "compiler/import/Json.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace kimi::emit {

static constexpr size_t kPieceBytes = size_t(4) << 20;

llvm::Error fileError(const llvm::Twine &what, llvm::StringRef path, int errorNumber) {
  return import_::makeError("cannot " + what + " " + path + ": " + std::strerror(errorNumber));
}

//===- hashing -----------------------------------------------------------------------------------------------===//

struct Hasher::State {
  XXH3_state_t xxh;
};

Hasher::Hasher() : state(std::make_unique<State>()) {
  XXH3_INITSTATE(&state->xxh);
  XXH3_128bits_reset(&state->xxh);
}
Hasher::Hasher(Hasher &&) noexcept = default;
Hasher::~Hasher() = default;

void Hasher::update(llvm::ArrayRef<char> bytes) { XXH3_128bits_update(&state->xxh, bytes.data(), bytes.size()); }

std::string Hasher::hex() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(&state->xxh);
  auto digits = [](uint64_t half) {
    std::string text = llvm::utohexstr(half, /*LowerCase=*/true);
    return std::string(16 - text.size(), '0') + text;
  };
  return digits(hash.high64) + digits(hash.low64);
}

std::string hashOf(llvm::ArrayRef<char> bytes) {
  Hasher hasher;
  hasher.update(bytes);
  return hasher.hex();
}

//===- reading -----------------------------------------------------------------------------------------------===//

llvm::Expected<InputFile> InputFile::open(const std::string &path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return fileError("read", path, errno);
  return InputFile(descriptor, path);
}

InputFile::InputFile(InputFile &&other) noexcept
    : descriptor(std::exchange(other.descriptor, -1)), path(std::move(other.path)) {}

InputFile::~InputFile() {
  if (descriptor >= 0)
    ::close(descriptor);
}

llvm::Error InputFile::read(uint64_t offset, llvm::MutableArrayRef<char> bytes) const {
  while (!bytes.empty()) {
    const ssize_t got = ::pread(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return fileError("read", path, errno);
    if (got == 0)
      return import_::makeError(path + " ends at byte " + llvm::Twine(offset) + " but " + llvm::Twine(bytes.size()) +
                                " bytes more were expected: it was changed meanwhile");
    offset += static_cast<uint64_t>(got);
    bytes = bytes.drop_front(static_cast<size_t>(got));
  }
  return llvm::Error::success();
}

llvm::Expected<uint64_t> InputFile::size() const {
  struct stat status;
  if (::fstat(descriptor, &status) != 0)
    return fileError("read", path, errno);
  return static_cast<uint64_t>(status.st_size);
}

//===- writing -----------------------------------------------------------------------------------------------===//

llvm::Expected<OutputFile> OutputFile::create(const std::string &path) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor < 0)
    return fileError("create", path, errno);
  return OutputFile(descriptor, path);
}

OutputFile::OutputFile(OutputFile &&other) noexcept
    : descriptor(std::exchange(other.descriptor, -1)), path(std::move(other.path)), bytes(other.bytes),
      hasher(std::move(other.hasher)) {}

OutputFile::~OutputFile() {
  if (descriptor >= 0)
    ::close(descriptor);
}

llvm::Error OutputFile::append(llvm::ArrayRef<char> piece) {
  hasher.update(piece);
  bytes += piece.size();
  while (!piece.empty()) {
    const ssize_t written = ::write(descriptor, piece.data(), piece.size());
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return fileError("write", path, errno);
    piece = piece.drop_front(static_cast<size_t>(written));
  }
  return llvm::Error::success();
}

llvm::Error OutputFile::padTo(uint64_t alignment) {
  return append(std::string(llvm::alignTo(bytes, alignment) - bytes, '\0'));
}

llvm::Expected<FileRecord> OutputFile::finish(llvm::StringRef relativePath) {
  // Some file systems report a full disk only here.
  if (::close(std::exchange(descriptor, -1)) != 0)
    return fileError("write", path, errno);
  return FileRecord{relativePath.str(), bytes, hasher.hex()};
}

//===- whole files -------------------------------------------------------------------------------------------===//

llvm::Expected<FileRecord> writeFile(const std::string &directory, llvm::StringRef relativePath,
                                     llvm::ArrayRef<char> bytes) {
  llvm::Expected<OutputFile> file = OutputFile::create((directory + "/" + relativePath).str());
  if (!file)
    return file.takeError();
  if (llvm::Error error = file->append(bytes))
    return error;
  return file->finish(relativePath);
}

/// Hands every piece of the file to `consume`.
static llvm::Error readPieces(const std::string &path, llvm::function_ref<llvm::Error(llvm::ArrayRef<char>)> consume) {
  llvm::Expected<InputFile> file = InputFile::open(path);
  if (!file)
    return file.takeError();
  llvm::Expected<uint64_t> size = file->size();
  if (!size)
    return size.takeError();
  std::vector<char> buffer(std::min<uint64_t>(kPieceBytes, *size));
  for (uint64_t offset = 0; offset < *size;) {
    llvm::MutableArrayRef<char> piece(buffer.data(), std::min<uint64_t>(buffer.size(), *size - offset));
    if (llvm::Error error = file->read(offset, piece))
      return error;
    if (llvm::Error error = consume(piece))
      return error;
    offset += piece.size();
  }
  return llvm::Error::success();
}

llvm::Expected<FileRecord> copyFile(const std::string &from, const std::string &directory,
                                    llvm::StringRef relativePath) {
  llvm::Expected<OutputFile> file = OutputFile::create((directory + "/" + relativePath).str());
  if (!file)
    return file.takeError();
  if (llvm::Error error = readPieces(from, [&](llvm::ArrayRef<char> piece) { return file->append(piece); }))
    return error;
  return file->finish(relativePath);
}

llvm::Expected<FileRecord> hashFile(const std::string &directory, llvm::StringRef relativePath) {
  FileRecord record{relativePath.str(), 0, {}};
  Hasher hasher;
  auto consume = [&](llvm::ArrayRef<char> piece) {
    hasher.update(piece);
    record.bytes += piece.size();
    return llvm::Error::success();
  };
  if (llvm::Error error = readPieces((directory + "/" + relativePath).str(), consume))
    return error;
  record.hash = hasher.hex();
  return record;
}

} // namespace kimi::emit
