#include "tests/server/schedule/SchedulerTest.h"

using namespace kimi;
using namespace kimi::schedule;
using namespace kimi::schedule::test;

namespace {

TEST_F(SchedulerTest, OneRequestGetsItsTokens) {
  start();
  add(request(1, promptOf(5, 10), 6));
  runAll();
  EXPECT_EQ(heard[1].tokens, expectedTokens(promptOf(5, 10), 6));
  EXPECT_EQ(heard[1].finish->reason, FinishReason::Length);
  EXPECT_EQ(heard[1].finish->account.numPromptTokens, 10);
  EXPECT_EQ(heard[1].finish->account.numOutputTokens, 6);
  EXPECT_EQ(engine->numSteps, 6); // the prompt's step draws the first token
  EXPECT_EQ(heard[1].events.back().position, 15);
}

TEST_F(SchedulerTest, RequestsJoinAndLeaveBetweenSteps) {
  start();
  add(request(1, promptOf(1, 20), 12));
  step();
  step();
  add(request(2, promptOf(2, 3), 2));
  step(); // 1 decodes, 2's prompt joins
  EXPECT_EQ(scheduler->load().numRunning, 2);
  EXPECT_EQ(engine->inputs().numTokens, 4);
  step(); // 2 draws its last token and leaves
  EXPECT_EQ(scheduler->load().numRunning, 1);
  add(request(3, promptOf(3, 7), 5));
  runAll();
  EXPECT_EQ(heard[1].tokens, expectedTokens(promptOf(1, 20), 12));
  EXPECT_EQ(heard[2].tokens, expectedTokens(promptOf(2, 3), 2));
  EXPECT_EQ(heard[3].tokens, expectedTokens(promptOf(3, 7), 5));
  EXPECT_EQ(engine->numSteps, 12); // the others rode along
}

TEST_F(SchedulerTest, LongPromptsRunInChunksBesideDecodes) {
  start();
  add(request(1, promptOf(1, 4), 8));
  step();
  add(request(2, promptOf(9, 200), 3));
  step();
  EXPECT_EQ(engine->inputs().numTokens, 64); // 1 decode + 63 of the prompt
  EXPECT_EQ(engine->inputs().numLogitRows, 1);
  EXPECT_EQ(heard[1].tokens.size(), 2u);
  runAll();
  EXPECT_EQ(heard[1].tokens, expectedTokens(promptOf(1, 4), 8));
  EXPECT_EQ(heard[2].tokens, expectedTokens(promptOf(9, 200), 3));
}

TEST_F(SchedulerTest, ChunkAndBatchOptionsBindEachStep) {
  start({}, {.maxSequences = 2, .maxBatchedTokens = 24, .maxPrefillChunk = 10});
  for (RequestId id = 1; id <= 4; ++id)
    add(request(id, promptOf(static_cast<int32_t>(id), 25), 4));
  step();
  EXPECT_EQ(engine->inputs().numSequences, 2);
  EXPECT_EQ(engine->inputs().numTokens, 20);
  EXPECT_EQ(scheduler->load().numWaiting, 2);
  engine->afterFill = [&] {
    EXPECT_LE(engine->inputs().numTokens, 24);
    EXPECT_LE(engine->inputs().numSequences, 2);
  };
  runAll();
  for (RequestId id = 1; id <= 4; ++id)
    EXPECT_EQ(heard[id].tokens, expectedTokens(promptOf(static_cast<int32_t>(id), 25), 4));
}

TEST_F(SchedulerTest, StopIdsEndARequestAndAreReported) {
  start();
  std::vector<int32_t> expected = expectedTokens(promptOf(5, 10), 4);
  Request made = request(1, promptOf(5, 10), 50);
  made.stopIds = {expected[3], 319};
  add(std::move(made));
  runAll();
  EXPECT_EQ(heard[1].tokens, expected);
  EXPECT_EQ(heard[1].finish->reason, FinishReason::Stop);
}

TEST_F(SchedulerTest, TheContextEndsARequest) {
  start({.contextLength = 32});
  add(request(1, promptOf(5, 30), 1000));
  runAll();
  EXPECT_EQ(heard[1].tokens.size(), 2u);
  EXPECT_EQ(heard[1].finish->reason, FinishReason::Length);
}

TEST_F(SchedulerTest, TheNewestGivesWayWhenBlocksRunOut) {
  // Three sequences that grow to 3 blocks each, 6 blocks in all.
  start({.cacheBlocks = 6});
  for (RequestId id = 1; id <= 3; ++id)
    add(request(id, promptOf(static_cast<int32_t>(id), 60), 100));
  runAll();
  EXPECT_GT(scheduler->load().numPreemptions, 0);
  for (RequestId id = 1; id <= 3; ++id)
    EXPECT_EQ(heard[id].tokens, expectedTokens(promptOf(static_cast<int32_t>(id), 60), 100)) << id;
}

TEST_F(SchedulerTest, ARecomputedRequestDrawsAsIfNothingHappened) {
  auto drawAll = [&](int64_t cacheBlocks) {
    heard.clear();
    start({.cacheBlocks = cacheBlocks});
    for (RequestId id = 1; id <= 3; ++id) {
      Request made = request(id, promptOf(static_cast<int32_t>(id), 60), 100);
      made.sampling.temperature = 1;
      made.sampling.seed = 77 + id;
      made.promptLogprobs = true;
      add(std::move(made));
    }
    runAll();
    return std::pair(heard[3].tokens, heard[3].scores.size());
  };
  auto roomy = drawAll(32), tight = drawAll(6);
  EXPECT_EQ(roomy, tight);
  EXPECT_EQ(tight.second, 59u);
}

TEST_F(SchedulerTest, WaitingRequestsAreAdmittedWhenTheirBlocksAreFree) {
  start({.cacheBlocks = 4});
  add(request(1, promptOf(1, 150), 3)); // 3 blocks
  add(request(2, promptOf(2, 100), 3)); // 2 blocks: must wait
  add(request(3, promptOf(3, 10), 3));  // would fit, but came later
  step();
  step();
  EXPECT_EQ(scheduler->load().numRunning, 1);
  EXPECT_EQ(scheduler->load().numFreeBlocks, 1);
  runAll();
  EXPECT_EQ(scheduler->load().numPreemptions, 0);
  EXPECT_EQ(heard[3].tokens, expectedTokens(promptOf(3, 10), 3));
}

TEST_F(SchedulerTest, CancelFreesWaitingAndRunning) {
  start({}, {.maxSequences = 1});
  add(request(1, promptOf(1, 100), 500));
  add(request(2, promptOf(2, 10), 5));
  add(request(3, promptOf(3, 10), 5));
  step();
  scheduler->cancel(1);
  scheduler->cancel(2);
  scheduler->cancel(99);
  EXPECT_EQ(heard[1].finish->reason, FinishReason::Cancelled);
  EXPECT_EQ(heard[2].finish->reason, FinishReason::Cancelled);
  EXPECT_EQ(scheduler->load().numFreeBlocks, 32);
  runAll();
  EXPECT_EQ(heard[3].tokens, expectedTokens(promptOf(3, 10), 5));
}

TEST_F(SchedulerTest, MaxTokensZeroComputesThePromptOnly) {
  start();
  Request made = request(1, promptOf(4, 70), 0);
  made.promptLogprobs = true;
  add(std::move(made));
  add(request(2, promptOf(4, 1024), 0)); // the whole context
  runAll();
  EXPECT_EQ(heard[1].scores.size(), 69u);
  EXPECT_TRUE(heard[1].tokens.empty());
  EXPECT_EQ(heard[1].finish->reason, FinishReason::Length);
  EXPECT_EQ(heard[2].finish->reason, FinishReason::Length);
}

TEST_F(SchedulerTest, NonFiniteRowsFailTheirRequestOnly) {
  start();
  engine->notFiniteAfter = 301;
  add(request(1, {1, 2, 301}, 5));
  add(request(2, {1, 2, 3}, 5));
  runAll();
  EXPECT_EQ(heard[1].finish->reason, FinishReason::Failed);
  EXPECT_EQ(heard[1].finish->message, "the model's logits at position 2 are not finite");
  EXPECT_TRUE(heard[1].tokens.empty());
  EXPECT_EQ(heard[2].tokens, expectedTokens({1, 2, 3}, 5));
}

TEST_F(SchedulerTest, AnEngineErrorFailsTheStepsRequests) {
  start({}, {.maxSequences = 1});
  add(request(1, {1, 2}, 5));
  add(request(2, {3, 4}, 2));
  engine->failWith = "the device is gone";
  Status status = scheduler->step();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, "the device is gone");
  EXPECT_EQ(heard[1].finish->message, "the device is gone");
  runAll();
  EXPECT_EQ(heard[2].tokens, expectedTokens({3, 4}, 2));
}

TEST_F(SchedulerTest, ARandomSeedIsNeverTheSame) {
  start();
  Request made = request(1, {1}, 1);
  EXPECT_NE(Sequence(made, 10, Clock::now()).seed, Sequence(made, 10, Clock::now()).seed);
}

TEST_F(SchedulerTest, TheCacheBoundsTheContext) {
  start({.contextLength = 1024, .cacheBlocks = 2});
  EXPECT_EQ(scheduler->requestLimits().maxModelLen, 128);
}

} // namespace
