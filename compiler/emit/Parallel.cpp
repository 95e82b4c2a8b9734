#include "compiler/emit/Parallel.h"

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

namespace kimi::emit {

llvm::Error parallelFor(size_t count, unsigned threads, llvm::function_ref<llvm::Error(size_t)> body) {
  std::atomic<size_t> next = 0;
  std::atomic<bool> stop = false;
  std::mutex mutex;
  llvm::Error first = llvm::Error::success();
  auto work = [&] {
    for (size_t i = next++; i < count && !stop; i = next++)
      if (llvm::Error error = body(i)) {
        std::lock_guard lock(mutex);
        if (!stop.exchange(true))
          first = std::move(error);
        else
          llvm::consumeError(std::move(error));
      }
  };
  {
    std::vector<std::jthread> helpers;
    for (unsigned i = 1; i < threads && i < count; ++i)
      helpers.emplace_back(work);
    work();
  }
  return first;
}

} // namespace kimi::emit
