#include "passes/codegen/CodeFiles.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;

namespace kimi::passes {

static std::string hashOf(StringRef bytes) {
  llvm::XXH128_hash_t hash = llvm::xxh3_128bits(llvm::arrayRefFromStringRef(bytes));
  return llvm::utohexstr(hash.high64, true, 16) + llvm::utohexstr(hash.low64, true, 16);
}

LogicalResult CodeFiles::fail(llvm::Error error) const {
  return module->emitError() << llvm::toString(std::move(error));
}

LogicalResult CodeFiles::write(StringRef folder, StringRef file, StringRef text) const {
  llvm::SmallString<128> path(folder);
  llvm::sys::path::append(path, file);
  std::error_code error = llvm::sys::fs::create_directories(folder);
  if (!error) {
    llvm::raw_fd_ostream stream(path, error);
    if (!error)
      stream << text;
    stream.close();
    if (stream.has_error()) {
      error = stream.error();
      stream.clear_error();
    }
  }
  if (error)
    return module->emitError() << "cannot write " << path << ": " << error.message();
  return success();
}

LogicalResult CodeFiles::dump(StringRef file, StringRef text) const {
  return hasDumps() ? write(dumpDirectory, file, text) : success();
}

FailureOr<std::string> CodeFiles::store(StringRef code, StringRef extension) const {
  std::string file = hashOf(code) + extension.str();
  if (failed(write(codeDirectory, file, code)))
    return failure();
  return file;
}

} // namespace kimi::passes
