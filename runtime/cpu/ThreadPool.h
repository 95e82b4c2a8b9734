// A fixed set of threads that run the tasks of one launch at a time. The calling thread takes part, so a pool
// of one thread has no workers. A launch allocates nothing.
//
// Thread rule: one thread at a time calls run() or parallelFor(), and not from inside a task.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

namespace kimi::runtime {

/// Runs the tasks [begin, end) of a launch.
using TaskRange = void (*)(void *context, int64_t begin, int64_t end);

class ThreadPool {
public:
  /// numThreads counts the calling thread; at least 1.
  explicit ThreadPool(int numThreads);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  int numThreads() const { return int(workers.size()) + 1; }

  /// Most tasks one launch may have.
  static constexpr int64_t kMaxTasks = UINT32_MAX;

  /// Runs every task in [0, numTasks) exactly once, on any thread in any order, and returns when all are
  /// done: what tasks wrote is then visible to the caller. 0 <= numTasks <= kMaxTasks.
  void run(int64_t numTasks, TaskRange range, void *context);

  /// run() for anything callable with a task's index.
  template <typename Body> void parallelFor(int64_t numTasks, Body &&body) {
    auto range = [](void *context, int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; ++task)
        (*static_cast<std::remove_reference_t<Body> *>(context))(task);
    };
    run(numTasks, range, const_cast<void *>(static_cast<const void *>(std::addressof(body))));
  }

private:
  void work();
  void takeTasks();
  void waitForLaunch(uint32_t seenLaunch);

  // The launch. Written by run() only while no task is unclaimed or running.
  std::atomic<TaskRange> range = nullptr;
  std::atomic<void *> context = nullptr;
  std::atomic<uint32_t> numTasks = 0;
  std::atomic<uint32_t> chunk = 1;

  // Claims: launch number in the high half, tasks not yet claimed in the low half. One word, so that a worker
  // that comes late can never claim a task of a launch whose fields it did not read: its exchange fails.
  alignas(64) std::atomic<uint64_t> ticket = 0;
  alignas(64) std::atomic<uint32_t> unfinished = 0; // tasks of the launch; the caller sleeps on it
  alignas(64) std::atomic<uint32_t> launch = 0;     // number of the launch; workers sleep on it
  std::atomic<uint32_t> sleepingWorkers = 0;
  std::atomic<bool> callerSleeps = false;
  std::atomic<bool> stopping = false;

  bool spins; // false when there are more threads than processors: spinning would only take a processor away
  std::vector<std::thread> workers;
};

} // namespace kimi::runtime
