#include "runtime/engine/FileVerifier.h"

#include "runtime/base/Hash.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <fmt/format.h>
#include <mutex>
#include <numeric>
#include <thread>

namespace kimi::runtime {

static constexpr std::chrono::milliseconds kProgressInterval{100};

namespace {

/// The work the hashing threads share.
struct Verification {
  std::span<const FileToVerify> files;
  std::vector<size_t> order; // largest first, so that no thread is left alone with a large one at the end
  std::atomic<size_t> next = 0;
  std::atomic<uint64_t> hashedBytes = 0;
  std::atomic<bool> stop = false;

  std::mutex mutex; // guards what follows
  std::condition_variable changed;
  std::string error;
  int runningThreads = 0;

  void hashFiles() {
    for (size_t i = next++; i < order.size() && !stop; i = next++) {
      const FileToVerify &file = files[order[i]];
      std::string found = hashHex(file.bytes, hashedBytes, stop);
      if (found.empty() || found == file.hash)
        continue;
      std::lock_guard lock(mutex);
      stop = true;
      error = fmt::format("{}: hash {} does not match the recorded {}: the file is damaged", file.path, found,
                          file.hash);
    }
    std::lock_guard lock(mutex);
    --runningThreads;
    changed.notify_one();
  }
};

} // namespace

Status verifyFiles(std::span<const FileToVerify> files, int numThreads, const Progress &progress) {
  Verification work;
  work.files = files;
  work.order.resize(files.size());
  std::iota(work.order.begin(), work.order.end(), size_t(0));
  std::stable_sort(work.order.begin(), work.order.end(),
                   [&](size_t a, size_t b) { return files[a].bytes.size() > files[b].bytes.size(); });
  uint64_t total = 0;
  for (const FileToVerify &file : files)
    total += file.bytes.size();

  std::vector<std::jthread> threads;
  work.runningThreads = int(std::min(size_t(std::max(numThreads, 1)), files.size()));
  for (int i = 0, count = work.runningThreads; i < count; ++i)
    threads.emplace_back([&work] { work.hashFiles(); });
  std::unique_lock lock(work.mutex);
  while (work.runningThreads > 0) {
    work.changed.wait_for(lock, kProgressInterval);
    if (!progress)
      continue;
    lock.unlock(); // The callback may take its time.
    progress(work.hashedBytes, total);
    lock.lock();
  }
  if (!work.error.empty())
    return failure(work.error);
  if (progress)
    progress(total, total);
  return {};
}

} // namespace kimi::runtime
