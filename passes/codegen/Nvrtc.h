// CUDA C++ text → cubin, through NVRTC. The library is loaded when it is first needed: kimic works without it for other
// targets. Thread rule: compile() may run on several threads at once.
#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>

namespace kimi::passes {

/// What one kernel takes of a multiprocessor, as ptxas reports it.
struct KernelResources {
  int64_t registers = 0;    // per thread
  int64_t stackBytes = 0;   // of local memory per thread
  int64_t spillBytes = 0;   // stored and loaded
  int64_t sharedBytes = 0;  // static
};

struct Cubin {
  std::string image;
  KernelResources resources;
};

class Nvrtc {
public:
  /// Loads libnvrtc.so.13 from $CUDA_HOME, the system's paths, /usr/local/cuda or the PyPI wheel in $VIRTUAL_ENV. An error
  /// says where to get it.
  static llvm::Expected<const Nvrtc *> get();

  /// Compiles the one kernel `name` of `source` for `architecture` ("sm_90a"). Errors name the kernel: what the compiler
  /// says first; registers spilled to local memory; a setmaxnreg that was ignored.
  llvm::Expected<Cubin> compile(llvm::StringRef name, const std::string &source, llvm::StringRef architecture) const;

  /// "13.0"
  const std::string &version() const { return versionText; }

private:
  struct Functions;
  const Functions *functions = nullptr;
  std::string versionText;
};

} // namespace kimi::passes
