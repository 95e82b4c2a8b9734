#include "runtime/base/FileQueue.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <numeric>
#include <thread>

namespace kimi::runtime {

static constexpr std::chrono::milliseconds kProgressInterval{100};

FileQueue::FileQueue(std::vector<uint64_t> fileSizes) : sizes(std::move(fileSizes)), order(sizes.size()) {
  std::iota(order.begin(), order.end(), size_t(0));
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return sizes[a] > sizes[b]; });
}

std::optional<size_t> FileQueue::next() {
  size_t place = nextInOrder++;
  if (stop || place >= order.size())
    return std::nullopt;
  return order[place];
}

Status FileQueue::run(std::span<const Worker> workers, const Progress &progress) {
  uint64_t total = std::accumulate(sizes.begin(), sizes.end(), uint64_t(0));
  std::mutex mutex; // guards what follows
  std::condition_variable changed;
  Status first;
  size_t running = workers.size();
  auto work = [&](const Worker &worker) {
    Status status = worker(*this);
    std::lock_guard lock(mutex);
    if (!status && first) {
      first = std::move(status);
      stop = true;
    }
    --running;
    changed.notify_one();
  };
  std::vector<std::jthread> threads;
  for (const Worker &worker : workers)
    threads.emplace_back(work, std::cref(worker));
  std::unique_lock lock(mutex);
  while (running > 0) {
    changed.wait_for(lock, kProgressInterval);
    if (!progress)
      continue;
    lock.unlock(); // The callback may take its time.
    progress(doneBytes, total);
    lock.lock();
  }
  if (first && progress)
    progress(total, total);
  return first;
}

} // namespace kimi::runtime
