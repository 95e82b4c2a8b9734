// NVRTC by dlopen, for tests: text in, cubin and the whole log out (passes/codegen/Nvrtc keeps the log to itself, and
// links MLIR).
#pragma once

#include <string>
#include <vector>

namespace kimi::gpu {

struct Compiled {
  bool ok = false;
  std::vector<char> cubin;
  std::string log; ///< with -v: registers, shared memory, spills of every kernel
};

/// False where no libnvrtc can be loaded.
bool haveNvrtc();

/// Compiles `text` for "sm_90a" or "sm_80" with ptxas -v, as kimic does: --fmad=false.
Compiled compileText(const std::string &text, const std::string &architecture);

} // namespace kimi::gpu
