#include "compiler/emit/PackLog.h"

#include "compiler/import/Json.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace kimi::emit {

std::string weightPath(llvm::StringRef hash) { return ("weights/" + hash + ".bin").str(); }

static std::string pathOf(const std::string &directory) { return (directory + "/" + kPackLogName).str(); }

static std::string print(const PackLogLine &line) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  llvm::json::OStream out(stream);
  out.object([&] {
    out.attribute("recipe", line.recipe);
    out.attribute("path", line.file.path);
    out.attribute("bytes", static_cast<int64_t>(line.file.bytes));
    out.attribute("weight", llvm::json::fixUTF8(line.weight));
  });
  return text + "\n";
}

/// Adds `text` where it is a whole line: its path is that of a hash.
static void addLine(llvm::StringRef text, llvm::StringMap<FileRecord> &files) {
  llvm::Expected<llvm::json::Object> object = import_::parseObject(text, kPackLogName);
  if (!object)
    return llvm::consumeError(object.takeError());
  const std::optional<llvm::StringRef> recipe = object->getString("recipe"), path = object->getString("path");
  const std::optional<int64_t> bytes = object->getInteger("bytes");
  if (!recipe || !path || !bytes || *bytes < 0)
    return;
  llvm::StringRef hash = *path;
  if (hash.consume_front("weights/") && hash.consume_back(".bin") && hash.size() == 32 &&
      hash.find_first_not_of("0123456789abcdef") == llvm::StringRef::npos)
    files[*recipe] = {path->str(), static_cast<uint64_t>(*bytes), hash.str()};
}

PackLog PackLog::read(const std::string &directory) {
  PackLog log;
  log.directory = directory;
  auto buffer = llvm::MemoryBuffer::getFile(pathOf(directory));
  if (!buffer)
    return log;
  for (llvm::StringRef rest = (*buffer)->getBuffer(); !rest.empty();) {
    const size_t end = rest.find('\n');
    if (end == llvm::StringRef::npos)
      break; // the line that a kill cut off
    addLine(rest.take_front(end), log.files);
    rest = rest.drop_front(end + 1);
  }
  return log;
}

const FileRecord *PackLog::find(llvm::StringRef recipe) const {
  auto found = files.find(recipe);
  return found == files.end() ? nullptr : &found->second;
}

llvm::Expected<PackLogWriter> PackLogWriter::open(const std::string &directory) {
  const std::string path = pathOf(directory);
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (descriptor < 0)
    return fileError("write", path, errno);
  PackLogWriter writer(descriptor, path);
  if (::write(descriptor, "\n", 1) != 1) // ends a line that a kill cut off
    return fileError("write", path, errno);
  return writer;
}

PackLogWriter::PackLogWriter(PackLogWriter &&other) noexcept
    : descriptor(std::exchange(other.descriptor, -1)), path(std::move(other.path)) {}

PackLogWriter::~PackLogWriter() {
  if (descriptor >= 0)
    ::close(descriptor);
}

llvm::Error PackLogWriter::append(const PackLogLine &line) {
  const std::string text = print(line);
  // One write at the end of the file: lines of several threads do not mix.
  if (const ssize_t written = ::write(descriptor, text.data(), text.size());
      written != static_cast<ssize_t>(text.size()))
    return fileError("write", path, written < 0 ? errno : ENOSPC);
  return llvm::Error::success();
}

llvm::Error writePackLog(const std::string &directory, llvm::ArrayRef<PackLogLine> lines) {
  std::string text;
  for (const PackLogLine &line : lines)
    text += print(line);
  const std::string path = pathOf(directory), partial = path + ".part";
  llvm::Expected<FileRecord> file = writeFile(directory, (kPackLogName + ".part").str(), text);
  if (!file)
    return file.takeError();
  if (std::error_code code = llvm::sys::fs::rename(partial, path))
    return fileError("write", path, code.value());
  return llvm::Error::success();
}

} // namespace kimi::emit
