// Files that several threads work through, the largest first, so that no thread is left alone with a large
// one at the end. The first error stops all. Thread rule: one thread calls run(); what its workers call is
// safe from all of them.
#pragma once

#include "runtime/base/Status.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace kimi::runtime {

/// Called now and then by the thread that waits: bytes done so far, bytes to do.
using Progress = std::function<void(uint64_t done, uint64_t total)>;

class FileQueue {
public:
  /// Takes files until next() has none. Runs on a thread of its own.
  using Worker = std::function<Status(FileQueue &)>;

  /// `sizes` in bytes, by the files' indices.
  explicit FileQueue(std::vector<uint64_t> sizes);

  /// Runs all workers and returns once they have: with the first error, after which next() gives no more.
  Status run(std::span<const Worker> workers, const Progress &progress);

  /// The next file's index; none when all are taken or something went wrong.
  std::optional<size_t> next();

  // For workers: count what is done; give up a long file when `stop` is set.
  std::atomic<uint64_t> doneBytes = 0;
  std::atomic<bool> stop = false;

private:
  const std::vector<uint64_t> sizes;
  std::vector<size_t> order;
  std::atomic<size_t> nextInOrder = 0;
};

} // namespace kimi::runtime
