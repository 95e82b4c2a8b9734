#include "tests/runtime/ToyStep.h"

#include <gtest/gtest.h>

namespace kimi::test {

class EngineTest : public testing::Test {
protected:
  void SetUp() override { load({.numThreads = 3, .cacheBytes = 1 << 20, .poison = true}); }

  void load(const EngineOptions &options) {
    auto loaded = Engine::load(writeToyArtifact(scratch.path()), options);
    ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
    engine = std::move(*loaded);
  }

  /// Row r's logits and sample are those of a sequence that holds `tokens`.
  void expectRow(size_t r, const std::vector<int32_t> &tokens) {
    auto expected = expectedLogits(tokens);
    auto row = engine->outputs().logits.subspan(r * kToyVocabulary, kToyVocabulary);
    EXPECT_TRUE(std::ranges::equal(row, expected)) << "row " << r;
    EXPECT_EQ(engine->outputs().sampledTokens[r], argMax(expected));
    EXPECT_EQ(engine->outputs().finite[r], 1);
  }

  void runStep(const std::vector<ToySequence> &sequences) {
    fillStep(*engine, sequences);
    auto status = engine->step();
    ASSERT_TRUE(status.has_value()) << status.error().message;
  }

  ScratchDirectory scratch;
  std::unique_ptr<Engine> engine;
};

static std::vector<int32_t> countTokens(int32_t count, int32_t factor) {
  std::vector<int32_t> tokens;
  for (int32_t i = 0; i < count; ++i)
    tokens.push_back(i * factor % int32_t(kToyVocabulary));
  return tokens;
}

TEST_F(EngineTest, DescribesTheModel) {
  EXPECT_EQ(engine->model().name, "toy");
  EXPECT_EQ(engine->model().numerics, "f32");
  EXPECT_EQ(engine->model().vocabulary, kToyVocabulary);
  EXPECT_EQ(engine->model().contextLength, kToyContext);
  EXPECT_TRUE(engine->model().fingerprint.starts_with("fp_"));
  EXPECT_EQ(engine->limits().maxTokens, 64);
  EXPECT_EQ(engine->limits().maxSequences, 8);
  EXPECT_EQ(engine->limits().maxTableBlocks, 5);
  EXPECT_EQ(engine->limits().cacheBlocks, (1 << 20) / (64 * 8 * 4 * 2));
}

TEST_F(EngineTest, PrefillsThenDecodes) {
  std::vector<int32_t> tokens = countTokens(20, 7);
  runStep({{0, tokens, {3}}});
  expectRow(0, tokens);
  for (int i = 0; i < 5; ++i) {
    int32_t next = engine->outputs().sampledTokens[0];
    int32_t position = int32_t(tokens.size());
    tokens.push_back(next);
    runStep({{position, {next}, {3}}});
    expectRow(0, tokens);
  }
}

TEST_F(EngineTest, SequencesDoNotSeeEachOther) {
  std::vector<int32_t> a = countTokens(10, 3), b = countTokens(17, 5), c = countTokens(1, 1);
  runStep({{0, a, {2}}, {0, b, {0}}, {0, c, {1}}});
  ASSERT_EQ(engine->outputs().sampledTokens.size(), 3u);
  expectRow(0, a);
  expectRow(1, b);
  expectRow(2, c);
  // And in the next step, in another order, as a decode batch.
  a.push_back(5), b.push_back(6), c.push_back(7);
  runStep({{17, {6}, {0}}, {1, {7}, {1}}, {10, {5}, {2}}});
  expectRow(0, b);
  expectRow(1, c);
  expectRow(2, a);
}

TEST_F(EngineTest, ChunksCrossBlocks) {
  std::vector<int32_t> tokens = countTokens(60, 11), all = tokens;
  runStep({{0, tokens, {9}}});
  std::vector<int32_t> more = countTokens(30, 13);
  all.insert(all.end(), more.begin(), more.end());
  runStep({{60, more, {9, 4}}});
  expectRow(0, all);
}

TEST_F(EngineTest, DecodeBatchBeyondDecodeEntriesRunsMixed) {
  std::vector<ToySequence> sequences;
  for (int32_t s = 0; s < 8; ++s)
    sequences.push_back({0, {s}, {s}});
  runStep(sequences);
  for (int32_t s = 0; s < 8; ++s)
    expectRow(size_t(s), {s});
}

TEST_F(EngineTest, StepWithoutLogitRows) {
  fillStep(*engine, {{0, {1, 2, 3}, {0}}});
  engine->inputs().numLogitRows = 0;
  ASSERT_TRUE(engine->step().has_value());
  EXPECT_TRUE(engine->outputs().sampledTokens.empty());
}

TEST_F(EngineTest, ProfilesKernels) {
  engine->setProfiling(true);
  runStep({{0, {1, 2, 3}, {0}}});
  auto times = engine->profile();
  ASSERT_EQ(times.size(), 6u);
  EXPECT_EQ(times[0].name, "toy_embedding");
  EXPECT_EQ(times[1].launches, kToyLayers);
  EXPECT_EQ(times[1].bytes, kToyLayers * 3 * 2 * 32);
  EXPECT_EQ(times[3].flops, kToyLayers * (1 + 2 + 3) * 8);
  engine->setProfiling(false);
  EXPECT_TRUE(engine->profile().empty());
}

TEST_F(EngineTest, SameBitsOnAnyNumberOfThreads) {
  std::vector<int32_t> tokens = countTokens(64, 29);
  runStep({{0, tokens, {1}}});
  std::vector<float> logits(engine->outputs().logits.begin(), engine->outputs().logits.end());
  for (int threads : {1, 2, 5}) {
    load({.numThreads = threads, .cacheBytes = 1 << 20});
    runStep({{0, tokens, {1}}});
    EXPECT_TRUE(std::ranges::equal(engine->outputs().logits, logits)) << threads << " threads";
  }
}

TEST_F(EngineTest, TwoEnginesKeepTheirCodeApart) {
  auto second = Engine::load(writeToyArtifact(scratch.path()), {.numThreads = 1, .cacheBytes = 1 << 20});
  ASSERT_TRUE(second.has_value());
  runStep({{0, {1, 2}, {0}}});
  engine.reset();
  fillStep(**second, {{0, {3}, {0}}});
  ASSERT_TRUE((*second)->step().has_value());
  EXPECT_EQ((*second)->outputs().sampledTokens[0], argMax(expectedLogits({3})));
}

} // namespace kimi::test
