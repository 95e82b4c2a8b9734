#include "runtime/cpu/ThreadPool.h"

#include "runtime/base/Machine.h"

#include <algorithm>
#include <chrono>
#include <climits>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace kimi::runtime {

// Longer than the gap between two launches of a step, shorter than anyone notices on an idle machine.
static constexpr std::chrono::microseconds kSpinTime{20};
static constexpr int kSpinsPerClockRead = 32;
// Chunks per thread: enough to even out uneven tasks, few enough that claiming costs nothing.
static constexpr int64_t kChunksPerThread = 4;

static void pauseProcessor() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

static void futexWait(std::atomic<uint32_t> &word, uint32_t expected) {
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, nullptr, nullptr, 0);
}

static void futexWake(std::atomic<uint32_t> &word, int count) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

/// True once `done` holds; false when it did not within the spin time.
template <typename Condition> static bool spinUntil(Condition done) {
  auto end = std::chrono::steady_clock::now() + kSpinTime;
  do {
    for (int i = 0; i < kSpinsPerClockRead; ++i) {
      if (done())
        return true;
      pauseProcessor();
    }
  } while (std::chrono::steady_clock::now() < end);
  return done();
}

ThreadPool::ThreadPool(int numThreads) : spins(numThreads <= usableThreads()) {
  for (int i = 1; i < numThreads; ++i)
    workers.emplace_back([this] { work(); });
}

ThreadPool::~ThreadPool() {
  stopping.store(true);
  launch.fetch_add(1);
  futexWake(launch, INT_MAX);
  for (std::thread &worker : workers)
    worker.join();
}

void ThreadPool::run(int64_t tasks, TaskRange newRange, void *newContext) {
  if (tasks <= 0)
    return;
  if (tasks == 1 || workers.empty())
    return newRange(newContext, 0, tasks);

  // Release order: a worker that reads any of these reads a ticket at least as new as the one before this
  // launch.
  range.store(newRange, std::memory_order_release);
  context.store(newContext, std::memory_order_release);
  numTasks.store(uint32_t(tasks), std::memory_order_release);
  chunk.store(uint32_t(std::max<int64_t>(1, tasks / (numThreads() * kChunksPerThread))),
              std::memory_order_release);
  unfinished.store(uint32_t(tasks), std::memory_order_relaxed);
  uint32_t number = launch.load(std::memory_order_relaxed) + 1;
  ticket.store(uint64_t(number) << 32 | uint32_t(tasks), std::memory_order_release);
  // Sequentially consistent with the worker's sleepingWorkers: either it sees this launch or we see it
  // asleep.
  launch.store(number);
  if (uint32_t sleeping = sleepingWorkers.load())
    futexWake(launch, int(std::min<int64_t>(sleeping, tasks - 1)));

  takeTasks();
  auto isDone = [&] { return unfinished.load(std::memory_order_acquire) == 0; };
  if (isDone() || (spins && spinUntil(isDone)))
    return;
  callerSleeps.store(true);
  while (uint32_t left = unfinished.load())
    futexWait(unfinished, left);
  callerSleeps.store(false);
}

void ThreadPool::takeTasks() {
  uint64_t seen = ticket.load(std::memory_order_acquire);
  while (uint32_t left = uint32_t(seen)) {
    TaskRange taskRange = range.load(std::memory_order_acquire);
    void *taskContext = context.load(std::memory_order_acquire);
    uint32_t total = numTasks.load(std::memory_order_acquire);
    uint32_t count = std::min(chunk.load(std::memory_order_acquire), left);
    // Succeeds only if the launch is still the one whose fields were just read.
    if (!ticket.compare_exchange_weak(seen, seen - count, std::memory_order_acq_rel,
                                      std::memory_order_acquire))
      continue;
    int64_t begin = int64_t(total) - left;
    taskRange(taskContext, begin, begin + count);
    if (unfinished.fetch_sub(count) == count && callerSleeps.load())
      futexWake(unfinished, 1);
    seen = ticket.load(std::memory_order_acquire);
  }
}

void ThreadPool::waitForLaunch(uint32_t seenLaunch) {
  auto isNew = [&] { return launch.load(std::memory_order_acquire) != seenLaunch; };
  if (spins && spinUntil(isNew))
    return;
  sleepingWorkers.fetch_add(1);
  while (launch.load() == seenLaunch)
    futexWait(launch, seenLaunch);
  sleepingWorkers.fetch_sub(1);
}

void ThreadPool::work() {
  uint32_t seenLaunch = 0;
  while (true) {
    waitForLaunch(seenLaunch);
    seenLaunch = launch.load(std::memory_order_acquire);
    if (stopping.load())
      return;
    takeTasks();
  }
}

} // namespace kimi::runtime
