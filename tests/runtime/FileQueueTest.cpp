#include "runtime/base/FileQueue.h"

#include <gtest/gtest.h>
#include <thread>

namespace kimi::test {

using runtime::FileQueue;

TEST(FileQueueTest, GivesTheLargestFirstAndEachOnce) {
  FileQueue queue({5, 70, 0, 70, 6});
  std::vector<size_t> taken;
  FileQueue::Worker worker = [&](FileQueue &files) -> Status {
    while (auto index = files.next())
      taken.push_back(*index);
    return {};
  };
  uint64_t lastDone = 0, lastTotal = 0;
  ASSERT_TRUE(
      queue.run({&worker, 1}, [&](uint64_t done, uint64_t total) { lastDone = done, lastTotal = total; }));
  EXPECT_EQ(taken, (std::vector<size_t>{1, 3, 4, 0, 2}));
  EXPECT_EQ(lastDone, 151u);
  EXPECT_EQ(lastTotal, 151u);
}

TEST(FileQueueTest, TheFirstErrorStopsAll) {
  FileQueue queue(std::vector<uint64_t>(1000, 1));
  std::atomic<int> taken = 0;
  FileQueue::Worker failing = [&](FileQueue &files) -> Status {
    files.next();
    return failure("broken");
  };
  FileQueue::Worker waiting = [&](FileQueue &files) -> Status {
    while (files.next()) {
      ++taken;
      while (!files.stop)
        std::this_thread::yield();
    }
    return {};
  };
  std::vector<FileQueue::Worker> workers{waiting, failing, waiting};
  bool wasAllDone = false;
  auto status = queue.run(workers, [&](uint64_t done, uint64_t total) { wasAllDone |= done == total; });
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().message, "broken");
  EXPECT_LE(taken, 2);
  EXPECT_FALSE(wasAllDone);
}

} // namespace kimi::test
