// One loop over several threads, and how far it got. Thread rule: ProgressLine may be advanced from any thread.
#pragma once

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace kimi::emit {

/// Calls body(0) .. body(count - 1), each once, on up to `threads` threads. After the first error no further call
/// begins; that error is returned.
llvm::Error parallelFor(size_t count, unsigned threads, llvm::function_ref<llvm::Error(size_t)> body);

/// "packing weights 1.2 of 8.0 GB", overwritten in place on a terminal; silent elsewhere.
class ProgressLine {
public:
  ProgressLine(std::string what, uint64_t totalBytes);
  ~ProgressLine();
  void advance(uint64_t bytes);

private:
  std::mutex mutex;
  const std::string what;
  const uint64_t totalBytes;
  const bool isTerminal;
  uint64_t doneBytes = 0;
  std::chrono::steady_clock::time_point lastShown;
};

/// "1.2 GB", "512 bytes".
std::string printBytes(uint64_t bytes);

} // namespace kimi::emit
