#include "compiler/emit/ArtifactDirectory.h"

#include "compiler/emit/Manifest.h"
#include "compiler/emit/VerifyArtifact.h"
#include "compiler/import/Json.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <unistd.h>

namespace fs = llvm::sys::fs;

namespace kimi::emit {

static constexpr llvm::StringLiteral kPartial = ".partial-";

/// True for an artifact, false for nothing (or an empty directory); else an error.
static llvm::Expected<bool> isArtifact(const std::string &target) {
  if (!fs::exists(target))
    return false;
  std::error_code code;
  if (fs::is_directory(target)) {
    if (fs::exists(target + "/" + kManifestName.str()) && fs::exists(target + "/" + kPlanName.str()))
      return true;
    if (fs::directory_iterator(target, code) == fs::directory_iterator() && !code)
      return false;
  }
  return import_::makeError(target + " exists and is not an artifact (it has no " + kManifestName + " and " +
                            kPlanName + "): kimic does not overwrite it; remove it or choose another -o");
}

static std::string parentOf(llvm::StringRef target) {
  const llvm::StringRef parent = llvm::sys::path::parent_path(target);
  return parent.empty() ? "." : parent.str();
}

llvm::Error checkTarget(const std::string &output) {
  const std::string target = llvm::StringRef(output).rtrim('/').str();
  if (llvm::Expected<bool> artifact = isArtifact(target); !artifact)
    return artifact.takeError();
  if (const std::string parent = parentOf(target); ::access(parent.c_str(), W_OK | X_OK) != 0)
    return fileError("write to", parent, errno);
  return llvm::Error::success();
}

/// Directories that killed runs left behind: their process is gone.
static void removeStale(llvm::StringRef target) {
  std::error_code code;
  const std::string prefix = (llvm::sys::path::filename(target) + kPartial).str();
  for (fs::directory_iterator it(parentOf(target), code), end; it != end && !code; it.increment(code)) {
    llvm::StringRef name = llvm::sys::path::filename(it->path());
    pid_t process;
    if (name.consume_front(prefix) && !name.getAsInteger(10, process) && process > 0 &&
        ::kill(process, 0) != 0 && errno == ESRCH)
      fs::remove_directories(it->path());
  }
}

llvm::Expected<ArtifactDirectory> ArtifactDirectory::create(const std::string &output) {
  const std::string target = llvm::StringRef(output).rtrim('/').str();
  if (target.empty())
    return import_::makeError("\"" + output + "\" is no name for an artifact");
  llvm::Expected<bool> replaces = isArtifact(target);
  if (!replaces)
    return replaces.takeError();
  removeStale(target);
  // Beside the target: the same file system, so that renaming is one step.
  const std::string temporary = (target + kPartial + llvm::Twine(::getpid())).str();
  if (std::error_code code = fs::create_directory(temporary, /*IgnoreExisting=*/false, fs::all_all))
    return fileError("create", temporary, code.value());
  ArtifactDirectory directory(target, temporary, *replaces);
  for (const char *folder : {"/weights", "/code"})
    if (std::error_code code = fs::create_directory(temporary + folder, /*IgnoreExisting=*/false, fs::all_all))
      return fileError("create", temporary + folder, code.value());
  return directory;
}

ArtifactDirectory::ArtifactDirectory(ArtifactDirectory &&other) noexcept
    : target(std::move(other.target)), temporary(std::exchange(other.temporary, {})), replaces(other.replaces) {}

ArtifactDirectory::~ArtifactDirectory() {
  if (!temporary.empty())
    fs::remove_directories(temporary);
}

EarlierFiles ArtifactDirectory::earlierFiles() const {
  EarlierFiles earlier;
  if (!replaces)
    return earlier;
  llvm::Expected<std::vector<FileRecord>> files = readPlanFiles(target);
  if (!files) { // damaged or of another version: nothing of it is worth keeping
    llvm::consumeError(files.takeError());
    return earlier;
  }
  earlier.directory = target;
  for (const FileRecord &file : *files)
    if (uint64_t bytes; llvm::StringRef(file.path).starts_with("weights/") && file.path.find("..") == std::string::npos &&
                        !fs::file_size(target + "/" + file.path, bytes) && bytes == file.bytes)
      earlier.files[file.path] = file;
  return earlier;
}

llvm::Error ArtifactDirectory::commit() {
  // What was written reaches the disk before its name does.
  if (const int descriptor = ::open(temporary.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); descriptor >= 0) {
    const bool failed = ::syncfs(descriptor) != 0;
    const int errorNumber = errno;
    ::close(descriptor);
    if (failed)
      return fileError("write", temporary, errorNumber);
  }
  if (!replaces) { // also onto an empty directory
    if (::rename(temporary.c_str(), target.c_str()) != 0)
      return fileError("create", target, errno);
    temporary.clear();
    return llvm::Error::success();
  }
  // Both at once: a reader sees the old artifact or the new one. The old one then has the temporary name.
  if (::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0)
    return llvm::Error::success();
  const std::string old = target + ".old";
  if (::rename(target.c_str(), old.c_str()) != 0 || ::rename(temporary.c_str(), target.c_str()) != 0)
    return fileError("replace", target, errno);
  temporary = old;
  return llvm::Error::success();
}

} // namespace kimi::emit
