#include "runtime/cpu/ThreadPool.h"

#include <chrono>
#include <gtest/gtest.h>
#include <memory>
#include <random>

namespace kimi::test {

using runtime::ThreadPool;

/// Runs launches of random sizes; every task of every launch must run exactly once, before run() returns.
static void stress(int numThreads, int numLaunches, int64_t maxTasks) {
  ThreadPool pool(numThreads);
  std::mt19937 random(7);
  auto counts = std::make_unique<std::atomic<int>[]>(size_t(maxTasks));
  int64_t plainSum = 0; // read without synchronisation after each launch
  std::vector<int64_t> results(size_t(maxTasks), 0);
  for (int launch = 0; launch < numLaunches; ++launch) {
    int64_t tasks = int64_t(random() % uint64_t(maxTasks + 1));
    pool.parallelFor(tasks, [&](int64_t task) {
      counts[size_t(task)].fetch_add(1, std::memory_order_relaxed);
      results[size_t(task)] = task + launch;
    });
    for (int64_t task = 0; task < tasks; ++task) {
      ASSERT_EQ(counts[size_t(task)].exchange(0), 1) << "launch " << launch << " task " << task;
      plainSum += results[size_t(task)] - task - launch;
    }
  }
  EXPECT_EQ(plainSum, 0);
}

TEST(ThreadPoolTest, OneThread) { stress(1, 1000, 50); }
TEST(ThreadPoolTest, ManySmallLaunches) { stress(2, 30000, 8); }
TEST(ThreadPoolTest, MoreThreadsThanProcessors) { stress(16, 3000, 200); }
TEST(ThreadPoolTest, LargeLaunches) { stress(4, 50, 20000); }

TEST(ThreadPoolTest, SleepingWorkersWake) {
  ThreadPool pool(4);
  for (int launch = 0; launch < 20; ++launch) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2)); // long past the spin time
    std::atomic<int> ran = 0;
    pool.parallelFor(100, [&](int64_t) { ++ran; });
    ASSERT_EQ(ran, 100);
  }
}

TEST(ThreadPoolTest, WorkersTakePart) {
  ThreadPool pool(2);
  // Each task waits for the other: this returns only if two threads run them.
  std::atomic<int> started = 0;
  pool.parallelFor(2, [&](int64_t) {
    ++started;
    while (started < 2)
      std::this_thread::yield();
  });
  EXPECT_EQ(started, 2);
}

TEST(ThreadPoolTest, UnevenTasks) {
  ThreadPool pool(3);
  std::atomic<int64_t> sum = 0;
  pool.parallelFor(64, [&](int64_t task) {
    if (task % 16 == 0)
      std::this_thread::sleep_for(
          std::chrono::milliseconds(1)); // the caller outlasts its spin time and sleeps
    sum += task;
  });
  EXPECT_EQ(sum, 64 * 63 / 2);
}

TEST(ThreadPoolTest, NoTasks) {
  ThreadPool pool(2);
  pool.parallelFor(0, [](int64_t) { FAIL(); });
  pool.parallelFor(-1, [](int64_t) { FAIL(); });
}

TEST(ThreadPoolTest, StartsAndStops) {
  for (int i = 0; i < 100; ++i) {
    ThreadPool pool(1 + i % 5);
    if (i % 2)
      pool.parallelFor(3, [](int64_t) {});
  }
}

} // namespace kimi::test
