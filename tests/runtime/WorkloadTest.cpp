// The synthetic batch that engines are measured with, and the times that are collected of it.
#include "runtime/engine/HostTimes.h"
#include "runtime/engine/Workload.h"
#include "tests/runtime/ToyStep.h"

#include <gtest/gtest.h>

namespace kimi::test {

using namespace runtime;

/// Row r holds blocks of its own, and zeros behind.
static void expectTables(Engine &engine, int64_t batch, int64_t blocks) {
  int64_t stride = engine.limits().maxTableBlocks;
  for (int64_t row = 0; row < batch; ++row)
    for (int64_t column = 0; column < stride; ++column)
      EXPECT_EQ(engine.inputs().blockTables[size_t(row * stride + column)],
                column < blocks ? row * blocks + column : 0)
          << row << ", " << column;
}

TEST(WorkloadTest, TablesHoldEachSequencesBlocks) {
  ScratchDirectory scratch;
  auto engine = Engine::load(writeToyArtifact(scratch.path()), {.numThreads = 1, .cacheBytes = 1 << 20});
  ASSERT_TRUE(engine.has_value()) << engine.error().message;
  for (int64_t batch : {3, 2}) {
    auto workload = Workload::create(**engine, {.batch = batch, .context = 100, .tokens = 40});
    ASSERT_TRUE(workload.has_value()) << workload.error().message;
    for (int round = 0; round < 2; ++round) {
      ASSERT_TRUE(workload->prefill({})); // in chunks: rows change hands
      for (int64_t step = 0; step < 40; ++step) {
        ASSERT_TRUE(workload->decode());
        if (step % 20 == 0)
          expectTables(**engine, batch, 3);
      }
    }
  }
}

TEST(HostTimesTest, PartsAddUp) {
  HostTimes times;
  EXPECT_EQ(times.part(HostTimes::kCheck).mean, 0);
  times.begin();
  for (double seconds : {2.0, 6.0, 1.0})
    times.endStep({.check = seconds, .upload = 1, .start = 2, .download = 3, .wait = 4, .copies = 2, .copiedBytes = 10});
  HostTimes::Part check = times.part(HostTimes::kCheck);
  EXPECT_STREQ(check.name, "check");
  EXPECT_DOUBLE_EQ(check.mean, 3);
  EXPECT_DOUBLE_EQ(check.median, 2);
  EXPECT_DOUBLE_EQ(check.longest, 6);
  EXPECT_DOUBLE_EQ(times.part(HostTimes::kWait).mean, 4);
  double sum = 0;
  for (int which = 0; which < HostTimes::kHost; ++which)
    sum += times.part(HostTimes::Which(which)).mean;
  EXPECT_NEAR(times.part(HostTimes::kHost).mean, sum, 1e-9);
  EXPECT_GT(times.part(HostTimes::kHost).mean, -4); // the time that passed, less the wait
  EXPECT_LT(times.part(HostTimes::kHost).mean, 1);
  EXPECT_DOUBLE_EQ(times.copies(), 2);
  EXPECT_DOUBLE_EQ(times.copiedBytes(), 10);
}

} // namespace kimi::test
