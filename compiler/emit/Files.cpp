#include "compiler/emit/Files.h"

#include "compiler/import/Json.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Path.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
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
  // O_NONBLOCK: a FIFO in the file's place must not hang us; it is refused below.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0)
    return fileError("read", path, errno);
  InputFile file(descriptor, path);
  if (struct stat status; ::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode))
    return import_::makeError("cannot read " + path + ": it is not a regular file");
  ::posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL);
  return file;
}

InputFile InputFile::invented(std::string name, Source source) {
  InputFile file(-1, std::move(name));
  file.source = std::move(source);
  return file;
}

InputFile::InputFile(InputFile &&other) noexcept
    : descriptor(std::exchange(other.descriptor, -1)), path(std::move(other.path)), source(std::move(other.source)) {}

InputFile::~InputFile() {
  if (descriptor >= 0)
    ::close(descriptor);
}

llvm::Error InputFile::read(uint64_t offset, llvm::MutableArrayRef<char> bytes) const {
  if (source) {
    source(offset, bytes);
    return llvm::Error::success();
  }
  while (!bytes.empty()) {
    const ssize_t got = ::pread(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return fileError("read " + llvm::Twine(bytes.size()) + " bytes at " + llvm::Twine(offset) + " of", path, errno);
    if (got == 0) {
      llvm::Expected<uint64_t> now = size();
      if (!now)
        return now.takeError();
      return import_::makeError(path + " has " + llvm::Twine(*now) + " bytes but " +
                                llvm::Twine(offset + bytes.size()) +
                                " were expected: it was truncated meanwhile; fetch it again and run the same command");
    }
    offset += static_cast<uint64_t>(got);
    bytes = bytes.drop_front(static_cast<size_t>(got));
  }
  return llvm::Error::success();
}

void InputFile::readAhead(uint64_t offset, uint64_t bytes) const {
  ::posix_fadvise(descriptor, static_cast<off_t>(offset), static_cast<off_t>(bytes), POSIX_FADV_WILLNEED);
}

void InputFile::dropCache() const { ::posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED); }

llvm::Expected<FileIdentity> InputFile::identity() const {
  if (source)
    return FileIdentity{path};
  struct stat status;
  if (::fstat(descriptor, &status) != 0)
    return fileError("read", path, errno);
  auto nanoseconds = [](const timespec &time) { return time.tv_sec * INT64_C(1'000'000'000) + time.tv_nsec; };
  llvm::SmallString<256> absolute(path);
  llvm::sys::fs::make_absolute(absolute);
  llvm::sys::path::remove_dots(absolute);
  return FileIdentity{absolute.str().str(), static_cast<uint64_t>(status.st_size), status.st_ino,
                      nanoseconds(status.st_mtim), nanoseconds(status.st_ctim)};
}

llvm::Expected<uint64_t> InputFile::size() const {
  struct stat status;
  if (::fstat(descriptor, &status) != 0)
    return fileError("read", path, errno);
  return static_cast<uint64_t>(status.st_size);
}

//===- writing -----------------------------------------------------------------------------------------------===//

llvm::Expected<uint64_t> freeBytes(const std::string &path) {
  struct statvfs status;
  if (::statvfs(path.c_str(), &status) != 0)
    return fileError("ask for the free space of", path, errno);
  return static_cast<uint64_t>(status.f_bavail) * status.f_frsize;
}

static bool isNoSpace(int errorNumber) {
  return errorNumber == ENOSPC || errorNumber == EDQUOT || errorNumber == EFBIG;
}

llvm::Expected<OutputFile> OutputFile::create(const std::string &path, uint64_t expectedBytes) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor < 0)
    return fileError("create", path, errno);
  OutputFile file(descriptor, path, expectedBytes);
  if (expectedBytes && file.availableBytes() < expectedBytes)
    return file.writeError(ENOSPC);
  // The size stays what was written. Where the file system cannot reserve, writing will show.
  if (expectedBytes && ::fallocate(descriptor, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(expectedBytes)) != 0 &&
      isNoSpace(errno))
    return file.writeError(errno);
  return file;
}

OutputFile::OutputFile(OutputFile &&other) noexcept
    : descriptor(std::exchange(other.descriptor, -1)), path(std::move(other.path)),
      expectedBytes(other.expectedBytes), bytes(other.bytes), sentBytes(other.sentBytes),
      settledBytes(other.settledBytes), hasher(std::move(other.hasher)) {}

OutputFile::~OutputFile() {
  if (descriptor >= 0)
    ::close(descriptor);
}

uint64_t OutputFile::availableBytes() const {
  struct statvfs status;
  if (::fstatvfs(descriptor, &status) != 0)
    return 0;
  const uint64_t onDisk = static_cast<uint64_t>(status.f_bavail) * status.f_frsize;
  rlimit limit;
  return ::getrlimit(RLIMIT_FSIZE, &limit) == 0 ? std::min<uint64_t>(onDisk, limit.rlim_cur) : onDisk;
}

llvm::Error OutputFile::writeError(int errorNumber) const {
  if (!isNoSpace(errorNumber))
    return fileError("write", path, errorNumber);
  return import_::makeError("cannot write " + path + ": " + std::strerror(errorNumber) + ": " +
                            llvm::Twine(std::max(expectedBytes, bytes)) + " bytes wanted, " +
                            llvm::Twine(availableBytes()) + " available; make room and run the same command");
}

/// Starts writing the last window and waits for the one before it, so that little unwritten memory piles up and the
/// disk never idles. What was written is forgotten: a file of gigabytes is not read again soon.
void OutputFile::sendToDisk() {
  static constexpr uint64_t kWindow = uint64_t(32) << 20;
  if (bytes < sentBytes + kWindow)
    return;
  auto range = [](uint64_t begin, uint64_t end) { return std::pair<off_t, off_t>(begin, end - begin); };
  const auto [newest, newestBytes] = range(sentBytes, bytes);
  ::sync_file_range(descriptor, newest, newestBytes, SYNC_FILE_RANGE_WRITE);
  if (sentBytes > settledBytes) {
    const auto [before, beforeBytes] = range(settledBytes, sentBytes);
    ::sync_file_range(descriptor, before, beforeBytes,
                      SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    ::posix_fadvise(descriptor, before, beforeBytes, POSIX_FADV_DONTNEED);
  }
  settledBytes = std::exchange(sentBytes, bytes);
}

llvm::Error OutputFile::append(llvm::ArrayRef<char> piece) {
  hasher.update(piece);
  bytes += piece.size();
  while (!piece.empty()) {
    const ssize_t written = ::write(descriptor, piece.data(), piece.size());
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return writeError(errno);
    piece = piece.drop_front(static_cast<size_t>(written));
  }
  sendToDisk();
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
static llvm::Error readPieces(const std::string &path, bool fromDisk,
                              llvm::function_ref<llvm::Error(llvm::ArrayRef<char>)> consume) {
  llvm::Expected<InputFile> file = InputFile::open(path);
  if (!file)
    return file.takeError();
  if (fromDisk)
    file->dropCache();
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
  auto append = [&](llvm::ArrayRef<char> piece) { return file->append(piece); };
  if (llvm::Error error = readPieces(from, /*fromDisk=*/false, append))
    return error;
  return file->finish(relativePath);
}

llvm::Expected<FileRecord> hashFile(const std::string &directory, llvm::StringRef relativePath,
                                    llvm::function_ref<void(uint64_t)> progress) {
  FileRecord record{relativePath.str(), 0, {}};
  Hasher hasher;
  auto consume = [&](llvm::ArrayRef<char> piece) {
    hasher.update(piece);
    record.bytes += piece.size();
    progress(piece.size());
    return llvm::Error::success();
  };
  if (llvm::Error error = readPieces((directory + "/" + relativePath).str(), /*fromDisk=*/true, consume))
    return error;
  record.hash = hasher.hex();
  return record;
}

} // namespace kimi::emit
