// A step whose inputs would lead kernels astray is refused, by field, value and limit, and changes nothing.
#include "tests/runtime/ToyStep.h"

#include <cmath>
#include <gtest/gtest.h>

namespace kimi::test {

class StepCheckTest : public testing::Test {
protected:
  void SetUp() override {
    auto loaded = Engine::load(writeToyArtifact(scratch.path()), {.numThreads = 1, .cacheBytes = 10 * 4096});
    ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
    engine = std::move(*loaded);
  }

  /// A good step of three sequences, changed by `edit`, is refused with this message.
  void expectRefused(std::string_view message, const std::function<void(StepInputs &)> &edit) {
    fillStep(*engine, {{0, {1, 2, 3}, {0}}, {0, {4, 5}, {1}}, {70, {6}, {2, 3}}});
    ASSERT_TRUE(engine->step().has_value());
    edit(engine->inputs());
    auto status = engine->step();
    ASSERT_FALSE(status.has_value()) << message;
    EXPECT_EQ(status.error().message, message);
  }

  ScratchDirectory scratch;
  std::unique_ptr<Engine> engine;
};

TEST_F(StepCheckTest, Counts) {
  expectRefused("numTokens is 0, expected 1 to 64", [](auto &in) { in.numTokens = 0; });
  expectRefused("numTokens is 65, expected 1 to 64", [](auto &in) { in.numTokens = 65; });
  expectRefused("numSequences is 9, expected 1 to 8",
                [](auto &in) { in.numTokens = 20, in.numSequences = 9; });
  expectRefused("numLogitRows is -1, expected 0 to 8", [](auto &in) { in.numLogitRows = -1; });
  expectRefused("numBiasEntries is 17, expected 0 to 16", [](auto &in) { in.numBiasEntries = 17; });
  expectRefused("numPenaltyEntries is 33, expected 0 to 32", [](auto &in) { in.numPenaltyEntries = 33; });
}

TEST_F(StepCheckTest, Sequences) {
  expectRefused("sequenceOffsets[0] is 1, expected 0", [](auto &in) { in.sequenceOffsets[0] = 1; });
  expectRefused("sequenceOffsets[2] is 3, expected at least 4", [](auto &in) { in.sequenceOffsets[2] = 3; });
  expectRefused("sequenceOffsets[3] is 7, expected 6", [](auto &in) { in.sequenceOffsets[3] = 7; });
  expectRefused("tokenSequences[4] is 0, expected 1 by sequenceOffsets",
                [](auto &in) { in.tokenSequences[4] = 0; });
  expectRefused("blockTables[5] is 10, expected 0 to 9", [](auto &in) { in.blockTables[5] = 10; });
  expectRefused("blockTables[14] is -1, expected 0 to 9", [](auto &in) { in.blockTables[14] = -1; });
}

TEST_F(StepCheckTest, Tokens) {
  expectRefused("tokenIds[5] is 97, expected 0 to 96", [](auto &in) { in.tokenIds[5] = 97; });
  expectRefused("tokenIds[0] is -1, expected 0 to 96", [](auto &in) { in.tokenIds[0] = -1; });
  expectRefused("positions[1] is 300, expected 0 to 299", [](auto &in) { in.positions[1] = 300; });
  expectRefused("cacheSlots[2] is 640, expected 0 to 639", [](auto &in) { in.cacheSlots[2] = 640; });
  expectRefused("logitRows[1] is 6, expected 0 to 5", [](auto &in) { in.logitRows[1] = 6; });
}

TEST_F(StepCheckTest, Sampling) {
  expectRefused("temperature[0] is nan, expected 0 to 3.4028235e+38",
                [](auto &in) { in.temperature[0] = NAN; });
  expectRefused("topP[2] is 1.5, expected 0 to 1", [](auto &in) { in.topP[2] = 1.5f; });
  expectRefused("minP[1] is -0.5, expected 0 to 1", [](auto &in) { in.minP[1] = -0.5f; });
  expectRefused("topK[0] is -3, expected 0 to 2147483647", [](auto &in) { in.topK[0] = -3; });
  expectRefused("maskRows[0] is 2, expected 0 to 1", [](auto &in) { in.maskRows[0] = 2; });
  expectRefused("logprobCounts[2] is 21, expected 0 to 20", [](auto &in) { in.logprobCounts[2] = 21; });
}

TEST_F(StepCheckTest, Lists) {
  expectRefused("biasOffsets[3] is 0, expected 2", [](auto &in) { in.numBiasEntries = 2; });
  expectRefused("biasTokens[0] is 97, expected 0 to 96", [](auto &in) {
    in.numBiasEntries = 1;
    in.biasOffsets[1] = in.biasOffsets[2] = in.biasOffsets[3] = 1;
    in.biasTokens[0] = 97;
  });
  expectRefused("penaltyOffsets[2] is 1, expected at least 2", [](auto &in) {
    in.numPenaltyEntries = 2;
    in.penaltyOffsets[1] = 2, in.penaltyOffsets[2] = 1;
  });
  expectRefused("penaltyCounts[1] is -1, expected 0 to 2147483647", [](auto &in) {
    in.numPenaltyEntries = 2;
    in.penaltyOffsets[1] = in.penaltyOffsets[2] = in.penaltyOffsets[3] = 2;
    in.penaltyCounts[1] = -1;
  });
}

TEST_F(StepCheckTest, OfLongTablesTheColumnsThatThePositionsUse) {
  constexpr uint32_t kColumns = 5120;
  auto artifact = writeToyArtifact(scratch.path(), [](artifact::PlanT &plan) {
    plan.model->context_length = kColumns * kBlockTokens;
    for (auto &entry : plan.ranks[0]->entries)
      entry->capacity->max_table_blocks = kColumns;
  });
  auto loaded = Engine::load(artifact, {.numThreads = 1, .cacheBytes = 10 * 4096});
  ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
  engine = std::move(*loaded);
  expectRefused("blockTables[5135] is -1, expected 0 to 9", // of the first line of row 1
                [](auto &in) { in.blockTables[kColumns + 15] = -1; });
  fillStep(*engine, {{0, {1, 2, 3}, {0}}, {0, {4, 5}, {1}}, {0, {6}, {2}}, {0, {7}, {3}}});
  engine->inputs().blockTables[kColumns + 16] = INT32_MAX; // which no kernel follows
  ASSERT_TRUE(engine->step().has_value());
  EXPECT_TRUE(std::ranges::equal(engine->outputs().logits.subspan(kToyVocabulary, kToyVocabulary),
                                 expectedLogits({4, 5})));
}

TEST_F(StepCheckTest, RefusedStepLeavesTheCache) {
  std::vector<int32_t> tokens = {8, 9, 10};
  fillStep(*engine, {{0, tokens, {5}}});
  ASSERT_TRUE(engine->step().has_value());
  // Would overwrite the sequence's rows; the last token is bad.
  fillStep(*engine, {{0, {1, 2, int32_t(kToyVocabulary)}, {5}}});
  ASSERT_FALSE(engine->step().has_value());
  tokens.push_back(11);
  fillStep(*engine, {{3, {11}, {5}}});
  ASSERT_TRUE(engine->step().has_value());
  EXPECT_TRUE(std::ranges::equal(engine->outputs().logits, expectedLogits(tokens)));
}

} // namespace kimi::test
