#include "tests/server/schedule/SchedulerTest.h"

using namespace kimi;
using namespace kimi::schedule;
using namespace kimi::schedule::test;

namespace {

using StepPlanTest = SchedulerTest;

TEST_F(StepPlanTest, SeedAndDrawIndexReachTheTable) {
  start();
  Request made = request(1, promptOf(1, 5), 3);
  made.sampling.temperature = 0.5f;
  made.sampling.topP = 0.9f;
  made.sampling.minP = 0.1f;
  made.sampling.topK = 7;
  made.sampling.seed = 0x1122334455667788ull;
  add(std::move(made));
  std::vector<uint32_t> draws;
  engine->afterFill = [&] {
    const StepInputs &in = engine->inputs();
    draws.push_back(in.drawIndex[0]);
    EXPECT_EQ(in.seeds[0], 0x55667788u);
    EXPECT_EQ(in.seeds[1], 0x11223344u);
    EXPECT_EQ(in.temperature[0], 0.5f);
    EXPECT_EQ(in.topP[0], 0.9f);
    EXPECT_EQ(in.minP[0], 0.1f);
    EXPECT_EQ(in.topK[0], 7);
  };
  runAll();
  EXPECT_EQ(draws, (std::vector<uint32_t>{0, 1, 2}));
}

TEST_F(StepPlanTest, PenaltiesListDistinctTokensWithOutputCounts) {
  start();
  engine->next = [](auto) { return 42; };
  Request made = request(1, {7, 8, 7, 42}, 4);
  made.sampling.repetitionPenalty = 1.2f;
  made.sampling.frequencyPenalty = 0.5f;
  add(std::move(made));
  Request other = request(2, {1, 2}, 4);
  other.sampling.presencePenalty = 1;
  add(std::move(other));
  step();
  step();
  step();
  const StepInputs &in = engine->inputs();
  ASSERT_EQ(in.numPenaltyEntries, 4);
  EXPECT_EQ(in.penaltyOffsets[1], 3);
  EXPECT_EQ(in.penaltyOffsets[2], 4);
  EXPECT_EQ(std::vector(in.penaltyTokens.begin(), in.penaltyTokens.begin() + 4),
            (std::vector<int32_t>{7, 8, 42, 42}));
  EXPECT_EQ(std::vector(in.penaltyCounts.begin(), in.penaltyCounts.begin() + 4),
            (std::vector<int32_t>{0, 0, 2, 2}));
  EXPECT_EQ(in.repetitionPenalty[0], 1.2f);
  EXPECT_EQ(in.presencePenalty[1], 1.0f);
  runAll();
}

TEST_F(StepPlanTest, BiasEntriesAreSharedOutAmongSteps) {
  start({.maxBiasEntries = 3});
  for (RequestId id = 1; id <= 2; ++id) {
    Request made = request(id, {1, 2, 3}, 2);
    made.sampling.logitBias = {{50 + static_cast<int32_t>(id), 100.f}, {3, -1.f}};
    add(std::move(made));
  }
  runAll(); // two do not fit together
  EXPECT_EQ(heard[1].tokens, (std::vector<int32_t>{51, 51}));
  EXPECT_EQ(heard[2].tokens, (std::vector<int32_t>{52, 52}));
}

TEST_F(StepPlanTest, PenaltiesThatOutgrowTheTableFailTheRequest) {
  start({.maxPenaltyEntries = 8});
  Request made = request(1, promptOf(1, 3), 100);
  made.sampling.presencePenalty = 1;
  add(std::move(made));
  runAll();
  EXPECT_EQ(heard[1].finish->reason, FinishReason::Failed);
  EXPECT_EQ(heard[1].finish->message.find(
                "the request does not fit a step any more: 9 penalty entries of at most 8"),
            0u)
      << heard[1].finish->message;
}

TEST_F(StepPlanTest, PromptTokensAreScoredOnceEach) {
  start({.maxLogitRows = 4}); // rows bind before tokens
  std::vector<int32_t> prompt = promptOf(4, 11);
  Request made = request(1, prompt, 1);
  made.promptLogprobs = true;
  made.sampling.numTopLogprobs = 2;
  add(std::move(made));
  runAll();
  ASSERT_EQ(heard[1].scores.size(), 10u);
  for (size_t i = 0; i < 10; ++i) {
    const Event &score = heard[1].scores[i];
    EXPECT_EQ(score.token, prompt[i + 1]);
    EXPECT_EQ(score.position, static_cast<int64_t>(i + 1));
    EXPECT_EQ(score.logprob, kimi::test::fakeLogprob(prompt[i + 1]));
    EXPECT_EQ(score.top.size(), 2u);
  }
  EXPECT_EQ(heard[1].tokens, expectedTokens(prompt, 1));
}

TEST_F(StepPlanTest, ForcedTokensReplaceTheDrawnOnes) {
  start();
  Request made = request(1, {5, 6, 7}, 3);
  made.forced = {100, 101};
  made.logitPositions = {0, 2, 4};
  std::vector<std::pair<int64_t, int32_t>> rows;
  made.onLogits = [&](int64_t position, std::span<const float> logits) {
    ASSERT_EQ(logits.size(), 320u);
    rows.emplace_back(position, static_cast<int32_t>(std::ranges::max_element(logits) - logits.begin()));
  };
  add(std::move(made));
  runAll();
  auto last = expectedTokens({5, 6, 7, 100, 101}, 1)[0];
  EXPECT_EQ(heard[1].tokens, (std::vector<int32_t>{100, 101, last}));
  std::vector<std::pair<int64_t, int32_t>> expected = {
      {0, expectedTokens({5}, 1)[0]}, {2, expectedTokens({5, 6, 7}, 1)[0]}, {4, last}};
  EXPECT_EQ(rows, expected);
}

TEST_F(StepPlanTest, BlockTablesKeepNothingOfTheirLastUser) {
  start();
  add(request(1, promptOf(1, 300), 1));
  runAll();
  add(request(2, promptOf(2, 10), 2));
  engine->afterFill = [&] {
    auto table = engine->inputs().blockTables.first(16);
    EXPECT_TRUE(std::all_of(table.begin() + 1, table.end(), [](int32_t block) { return block == 0; }));
  };
  runAll();
}

TEST_F(StepPlanTest, OnlyNewBlocksOfASequenceThatStaysAreWritten) {
  start();
  add(request(1, promptOf(1, 60), 10));
  step(); // the prompt, and in this row's only block room for four tokens more
  int32_t &first = engine->inputs().blockTables[0], held = first;
  int64_t numSteps = 0;
  engine->afterFill = [&] {
    EXPECT_EQ(first, 31); // not written again
    first = held;
    EXPECT_EQ(engine->inputs().blockTables[1] != 0, engine->inputs().positions[0] >= kBlockTokens);
    ++numSteps;
  };
  ASSERT_NE(held, 31);
  while (scheduler->hasWork()) {
    first = 31;
    step();
  }
  EXPECT_EQ(numSteps, 9);
  EXPECT_EQ(heard[1].tokens, expectedTokens(promptOf(1, 60), 10));
}

TEST_F(StepPlanTest, ARestartedSequencesBlocksAreWrittenAgain) {
  start();
  StepPlan plan(engine->limits(), engine->model().vocabulary);
  Sequence sequence(request(1, promptOf(1, 60), 1), 1024, {});
  auto fillWith = [&](std::vector<int32_t> blocks) {
    sequence.blocks = blocks;
    plan.clear();
    plan.add(sequence, 60);
    plan.fill(engine->inputs());
    blocks.resize(16, 0);
    EXPECT_TRUE(std::ranges::equal(engine->inputs().blockTables.first(16), blocks)) << blocks[0];
  };
  fillWith({3, 4, 5});
  sequence.restart();
  fillWith({6, 7});
}

} // namespace
