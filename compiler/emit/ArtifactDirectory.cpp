#include "compiler/emit/ArtifactDirectory.h"

#include "compiler/emit/Manifest.h"
#include "compiler/import/Json.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace fs = llvm::sys::fs;

namespace kimi::emit {

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

//===- one writer --------------------------------------------------------------------------------------------===//

/// An open directory that no other process has locked, or -1 where file systems know no locks. The lock ends with the
/// process, however that ends.
static llvm::Expected<int> lockDirectory(const std::string &path, const std::string &target) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0)
    return fileError("open", path, errno);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0)
    return descriptor;
  const bool isTaken = errno == EWOULDBLOCK;
  ::close(descriptor);
  if (!isTaken)
    return -1;
  return import_::makeError("another kimic is writing " + target + ": wait for it, or choose another -o");
}

/// Creates and locks it. Another run may put it in place meanwhile: then once more.
llvm::Error ArtifactDirectory::lock() {
  while (true) {
    if (std::error_code code = fs::create_directory(partial, /*IgnoreExisting=*/true, fs::all_all))
      return fileError("create", partial, code.value());
    llvm::Expected<int> descriptor = lockDirectory(partial, target);
    if (!descriptor)
      return descriptor.takeError();
    struct stat locked, there;
    if (*descriptor < 0 || (::fstat(*descriptor, &locked) == 0 && ::stat(partial.c_str(), &there) == 0 &&
                            locked.st_ino == there.st_ino && locked.st_dev == there.st_dev)) {
      lockDescriptor = *descriptor;
      isOurs = true;
      return llvm::Error::success();
    }
    ::close(*descriptor);
  }
}

/// Leaves finished weights and their log.
llvm::Error ArtifactDirectory::clean() {
  auto removeOthers = [](const std::string &directory, llvm::function_ref<bool(llvm::StringRef)> keep) {
    std::error_code code;
    std::vector<std::string> others;
    for (fs::directory_iterator it(directory, code), end; it != end && !code; it.increment(code))
      if (!keep(llvm::sys::path::filename(it->path())))
        others.push_back(it->path());
    for (const std::string &path : others)
      fs::is_directory(path) ? fs::remove_directories(path) : fs::remove(path);
  };
  removeOthers(partial, [](llvm::StringRef name) { return name == "weights" || name == kPackLogName; });
  removeOthers(partial + "/weights", [](llvm::StringRef name) { return name.ends_with(".bin"); });
  for (const char *folder : {"/weights", "/code"})
    if (std::error_code code = fs::create_directory(partial + folder, /*IgnoreExisting=*/true, fs::all_all))
      return fileError("create", partial + folder, code.value());
  return llvm::Error::success();
}

//===- beginning and end -------------------------------------------------------------------------------------===//

llvm::Expected<ArtifactDirectory> ArtifactDirectory::create(const std::string &output) {
  const std::string target = llvm::StringRef(output).rtrim('/').str();
  if (target.empty())
    return import_::makeError("\"" + output + "\" is no name for an artifact");
  llvm::Expected<bool> replaces = isArtifact(target);
  if (!replaces)
    return replaces.takeError();
  // Beside the target: the same file system, so that renaming is one step.
  ArtifactDirectory directory(target, *replaces);
  if (llvm::Error error = directory.lock())
    return error;
  if (llvm::Error error = directory.clean())
    return error;
  return directory;
}

ArtifactDirectory::ArtifactDirectory(ArtifactDirectory &&other) noexcept
    : target(std::move(other.target)), partial(std::move(other.partial)), replaces(other.replaces),
      isOurs(std::exchange(other.isOurs, false)), lockDescriptor(std::exchange(other.lockDescriptor, -1)) {}

ArtifactDirectory::~ArtifactDirectory() {
  if (isOurs && !hasWeights())
    fs::remove_directories(partial);
  if (lockDescriptor >= 0)
    ::close(lockDescriptor);
}

bool ArtifactDirectory::hasWeights() const {
  std::error_code code;
  for (fs::directory_iterator it(partial + "/weights", code), end; it != end && !code; it.increment(code))
    if (llvm::StringRef(it->path()).ends_with(".bin"))
      return true;
  return false;
}

std::vector<PackLog> ArtifactDirectory::logs() const {
  std::vector<PackLog> logs = {PackLog::read(partial)};
  if (replaces)
    logs.push_back(PackLog::read(target));
  return logs;
}

llvm::Error ArtifactDirectory::sync() const {
  const int descriptor = ::open(partial.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0)
    return fileError("open", partial, errno);
  const bool failed = ::syncfs(descriptor) != 0;
  const int errorNumber = errno;
  ::close(descriptor);
  return failed ? fileError("write", partial, errorNumber) : llvm::Error::success();
}

llvm::Error ArtifactDirectory::commit() {
  if (!replaces) { // also onto an empty directory
    if (::rename(partial.c_str(), target.c_str()) != 0)
      return fileError("create", target, errno);
    isOurs = false;
    return llvm::Error::success();
  }
  // The old artifact takes our place for a moment: nobody shall go on from it there.
  llvm::Expected<int> oldLock = lockDirectory(target, target);
  if (!oldLock)
    return oldLock.takeError();
  std::string old = partial;
  // Both at once: a reader sees the old artifact or the new one.
  if (::renameat2(AT_FDCWD, partial.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) != 0) {
    old = target + ".old";
    if (::rename(target.c_str(), old.c_str()) != 0 || ::rename(partial.c_str(), target.c_str()) != 0)
      return fileError("replace", target, errno);
  }
  isOurs = false;
  fs::remove_directories(old);
  if (*oldLock >= 0)
    ::close(*oldLock);
  return llvm::Error::success();
}

} // namespace kimi::emit
