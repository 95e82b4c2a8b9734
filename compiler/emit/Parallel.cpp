#include "compiler/emit/Parallel.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <atomic>
#include <thread>
#include <unistd.h>
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

static constexpr std::chrono::milliseconds kShowInterval{100};

ProgressLine::ProgressLine(std::string what, uint64_t totalBytes)
    : what(std::move(what)), totalBytes(totalBytes), isTerminal(::isatty(STDERR_FILENO)) {}

ProgressLine::~ProgressLine() {
  if (isTerminal)
    llvm::errs() << "\r\x1b[K";
}

void ProgressLine::advance(uint64_t bytes) {
  std::lock_guard lock(mutex);
  doneBytes += bytes;
  const auto now = std::chrono::steady_clock::now();
  if (!isTerminal || now - lastShown < kShowInterval)
    return;
  lastShown = now;
  llvm::errs() << "\r\x1b[K" << what << " " << printBytes(doneBytes) << " of " << printBytes(totalBytes);
}

std::string printBytes(uint64_t bytes) {
  static constexpr const char *units[] = {"KB", "MB", "GB", "TB"};
  if (bytes < 1000)
    return std::to_string(bytes) + " bytes";
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  for (value /= 1000; value >= 1000 && unit + 1 < std::size(units); ++unit)
    value /= 1000;
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.1f ", value) << units[unit];
  return text;
}

} // namespace kimi::emit
