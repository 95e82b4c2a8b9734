// The CUDA engine on the fake driver: the same tokens whichever way the launches reach the device.
#include "tests/runtime/CudaToy.h"

#include <thread>

namespace kimi::test {

using namespace artifact;

static constexpr int64_t kLaunches = 1 + 3 * kToyLayers + 2; // of every entry

TEST_F(CudaTest, DescribesTheModel) {
  load();
  EXPECT_EQ(engine->model().target, "cuda:sm_90a");
  EXPECT_EQ(engine->model().device, "Fake H200, 132 processors, 1.00 GiB");
  EXPECT_EQ(engine->limits().cacheBlocks, (1 << 20) / (64 * 8 * 4 * 2));
  EXPECT_GT(engine->loadReport().weightBytes, kToyVocabulary * kToyHidden * 4);
  EXPECT_GT(engine->loadReport().weightSeconds, 0);
}

TEST_F(CudaTest, DecodesInOneGraphAndPrefillsWithLaunches) {
  load();
  std::vector<int32_t> tokens{7, 14, 21, 28, 35};
  runStep({{0, tokens, {3}}});
  expectRow(0, tokens);
  EXPECT_EQ(fake->launches, kLaunches);
  EXPECT_EQ(fake->graphStarts, 0);
  for (int i = 0; i < 5; ++i) {
    int32_t next = engine->outputs().sampledTokens[0];
    tokens.push_back(next);
    runStep({{int32_t(tokens.size()) - 1, {next}, {3}}});
    expectRow(0, tokens);
  }
  EXPECT_EQ(fake->launches, kLaunches);
  EXPECT_EQ(fake->graphStarts, 5);
  EXPECT_EQ(fake->graphNodes, 5 * kLaunches);
}

TEST_F(CudaTest, BucketsPadAndBlocksPastTheEndDoNothing) {
  load();
  runStep({{0, {1, 2}, {2}}, {0, {3}, {0}}, {0, {4, 5, 6}, {1}}});
  int64_t before = fake->blocks;
  // Three sequences in the graph of four.
  runStep({{3, {9}, {1}}, {2, {8}, {2}}, {1, {7}, {0}}});
  ASSERT_EQ(engine->outputs().sampledTokens.size(), 3u);
  expectRow(0, {4, 5, 6, 9});
  expectRow(1, {1, 2, 8});
  expectRow(2, {3, 7});
  int64_t full = 4 * (1 + 3 * int64_t(kToyLayers)) + 4 * int64_t(kToyVocabulary) + 4;
  EXPECT_EQ(fake->blocks - before, full);
}

TEST_F(CudaTest, StepsWithoutLogitRows) {
  load();
  fillStep(*engine, {{0, {1, 2, 3}, {0}}});
  engine->inputs().numLogitRows = 0;
  ASSERT_TRUE(engine->step().has_value());
  EXPECT_TRUE(engine->outputs().sampledTokens.empty());
  fillStep(*engine, {{3, {4}, {0}}}); // a graph in which nobody wants logits
  engine->inputs().numLogitRows = 0;
  ASSERT_TRUE(engine->step().has_value());
  runStep({{4, {5}, {0}}});
  expectRow(0, {1, 2, 3, 4, 5});
}

TEST_F(CudaTest, WithoutGraphsTheSameTokens) {
  EngineOptions options = defaultOptions();
  options.useGraphs = false;
  load(options);
  std::vector<int32_t> tokens{5};
  runStep({{0, {5}, {0}}});
  for (int i = 0; i < 3; ++i) {
    expectRow(0, tokens);
    tokens.push_back(engine->outputs().sampledTokens[0]);
    runStep({{int32_t(tokens.size()) - 1, {tokens.back()}, {0}}});
  }
  expectRow(0, tokens);
  EXPECT_EQ(fake->graphStarts, 0);
  EXPECT_EQ(fake->launches, 4 * kLaunches);
}

TEST_F(CudaTest, ReadsLogitsOnlyWhenAsked) {
  EngineOptions options = defaultOptions();
  options.readLogits = false;
  load(options);
  int64_t before = fake->bytesToHost;
  runStep({{0, {1, 2, 3}, {0}}});
  EXPECT_TRUE(engine->outputs().logits.empty());
  expectRow(0, {1, 2, 3});
  EXPECT_EQ(fake->bytesToHost, before); // all else is written where the host reads it
}

TEST_F(CudaTest, OneCopyInOneGraphOneWait) {
  for (bool readLogits : {false, true}) {
    EngineOptions options = defaultOptions();
    options.readLogits = readLogits;
    load(options);
    FakeCuda before = *fake;
    runStep({{0, {5}, {0}}});
    expectRow(0, {5});
    EXPECT_EQ(fake->copiesToDevice - before.copiesToDevice, 1);
    EXPECT_EQ(fake->graphStarts - before.graphStarts, 1);
    EXPECT_EQ(fake->copiesToHost - before.copiesToHost, readLogits);
    EXPECT_EQ(fake->waits - before.waits, 1);
  }
}

TEST_F(CudaTest, TimesTheHostsPartOfAStep) {
  for (bool useGraphs : {true, false}) {
    EngineOptions options = defaultOptions();
    options.useGraphs = useGraphs;
    load(options);
    int64_t bytes = fake->bytesToDevice;
    runStep({{0, {5}, {0}}});
    StepTimes times = engine->lastStepTimes();
    for (double part : {times.check, times.upload, times.start, times.download, times.wait})
      EXPECT_GT(part, 0);
    EXPECT_EQ(times.copies, 1);
    EXPECT_EQ(int64_t(times.copiedBytes), fake->bytesToDevice - bytes);
    engine->inputs().numTokens = 0;
    EXPECT_FALSE(engine->step());
    EXPECT_EQ(engine->lastStepTimes().wait, 0);
  }
}

TEST_F(CudaTest, StepsOnAnotherThreadThanTheLoad) {
  load();
  std::thread([&] { runStep({{0, {1, 2, 3}, {0}}}); }).join();
  expectRow(0, {1, 2, 3});
  std::thread([&] { engine.reset(); }).join();
}

TEST_F(CudaTest, ProfilesKernelsByThemselves) {
  load();
  engine->setProfiling(true);
  runStep({{0, {6}, {0}}});
  expectRow(0, {6});
  EXPECT_EQ(fake->graphStarts, 0);
  EXPECT_EQ(fake->gates, 0); // an entry's first run is not held back
  auto times = engine->profile();
  ASSERT_EQ(times.size(), 6u);
  EXPECT_EQ(times[1].name, "toy_add");
  EXPECT_EQ(times[1].launches, kToyLayers);
  EXPECT_EQ(times[1].bytes, kToyLayers * 2 * 32);
  EXPECT_GT(times[1].seconds, 0);
  runStep({{1, {7}, {0}}});
  expectRow(0, {6, 7});
  EXPECT_EQ(fake->gates, 1); // all launches were queued before the first could start
  engine->setProfiling(false);
  EXPECT_TRUE(engine->profile().empty());
  runStep({{2, {8}, {0}}});
  EXPECT_EQ(fake->graphStarts, 1);
}

TEST_F(CudaTest, ProgrammaticKernelsOverlapTheirPredecessorsOnly) {
  load(defaultOptions(), [](PlanT &plan) {
    for (auto &kernel : plan.ranks[0]->kernels)
      kernel->programmatic = true;
  });
  EXPECT_EQ(fake->programmaticEdges, 2 * (kLaunches - 1)); // of two graphs
  runStep({{0, {1, 2}, {0}}});
  EXPECT_EQ(fake->programmaticLaunches, kLaunches - 1); // the first follows a copy
  runStep({{2, {3}, {0}}});
  expectRow(0, {1, 2, 3});
  engine->setProfiling(true);
  runStep({{3, {4}, {0}}});
  expectRow(0, {1, 2, 3, 4});
  EXPECT_EQ(fake->programmaticLaunches, kLaunches - 1);
}

TEST_F(CudaTest, ClustersAreWhole) {
  // 97 tasks per row times 2 in clusters of 2; three rows of an odd number of blocks are rounded up.
  load(defaultOptions(), [](PlanT &plan) {
    plan.ranks[0]->entries.erase(plan.ranks[0]->entries.begin()); // of one token
    plan.ranks[0]->kernels[0]->cluster = 2;
  });
  runStep({{0, {1, 2, 3}, {0}}});
  expectRow(0, {1, 2, 3});
  runStep({{3, {4}, {0}}});
  expectRow(0, {1, 2, 3, 4});
  EXPECT_EQ(fake->clusteredLaunches, 2);
}

TEST_F(CudaTest, SharedMemoryBeyondTheDefault) {
  load(defaultOptions(), [](PlanT &plan) { plan.ranks[0]->kernels[4]->shared_bytes = 200 * 1024; });
  runStep({{0, {1, 2, 3}, {0}}});
  runStep({{3, {4}, {0}}});
  expectRow(0, {1, 2, 3, 4});
}

static std::unique_ptr<TensorMapT> toyMap(uint32_t argument, std::vector<Extent> shape,
                                          std::vector<uint64_t> strides, std::vector<uint32_t> box) {
  auto map = std::make_unique<TensorMapT>();
  map->argument = argument;
  map->type = DataType::f32;
  map->shape = std::move(shape);
  map->strides = std::move(strides);
  map->box = std::move(box);
  return map;
}

TEST_F(CudaTest, TensorMapsOverWeightsAndArena) {
  load(defaultOptions(), [](PlanT &plan) {
    KernelT &kernel = *plan.ranks[0]->kernels[1];
    kernel.name = "toy_mapped_add";
    Extent hidden{DimSymbol::one, kToyHidden, 1}, tokens{DimSymbol::tokens, 1, 1};
    kernel.tensor_maps.push_back(toyMap(0, {hidden}, {}, {kToyHidden}));
    kernel.tensor_maps.push_back(toyMap(1, {hidden, tokens}, {kToyHidden * 4}, {kToyHidden, 1}));
  });
  runStep({{0, {1, 2, 3}, {0}}, {0, {4}, {1}}});
  expectRow(0, {1, 2, 3});
  runStep({{3, {5}, {0}}, {1, {6}, {1}}});
  expectRow(0, {1, 2, 3, 5});
  expectRow(1, {4, 6});
}

TEST_F(CudaTest, KernelsComeFromTheFileThatTheirCodeNames) {
  load(defaultOptions(), [](PlanT &plan) {
    plan.ranks[0]->code = {0, 0};
    for (auto &kernel : plan.ranks[0]->kernels)
      kernel->code = 1;
  });
  runStep({{0, {1, 2, 3}, {0}}});
  expectRow(0, {1, 2, 3});
}

TEST_F(CudaTest, TwoEnginesBesideEachOther) {
  load();
  auto second = Engine::load(writeToyCudaArtifact(scratch.path()), defaultOptions());
  ASSERT_TRUE(second.has_value()) << second.error().message;
  std::unique_ptr<Engine> first = std::move(engine);
  // The same blocks of two caches, by turns, in launches and graphs; each has outputs of its own.
  std::vector<int32_t> ofFirst{1, 2}, ofSecond{9, 8, 7};
  auto continueBoth = [&](size_t oldOfFirst, size_t oldOfSecond) {
    engine = std::move(first);
    runStep({{int32_t(oldOfFirst), {ofFirst.begin() + int64_t(oldOfFirst), ofFirst.end()}, {3}}});
    first = std::move(engine);
    engine = std::move(*second);
    runStep({{int32_t(oldOfSecond), {ofSecond.begin() + int64_t(oldOfSecond), ofSecond.end()}, {3}}});
    expectRow(0, ofSecond);
    *second = std::move(engine);
    engine = std::move(first);
    expectRow(0, ofFirst);
    first = std::move(engine);
  };
  continueBoth(0, 0);
  for (int32_t i = 0; i < 3; ++i) {
    ofFirst.push_back(20 + i);
    ofSecond.push_back(40 + i);
    continueBoth(ofFirst.size() - 1, ofSecond.size() - 1);
  }
  // And when one is gone.
  first.reset();
  engine = std::move(*second);
  ofSecond.push_back(50);
  runStep({{int32_t(ofSecond.size()) - 1, {50}, {3}}});
  expectRow(0, ofSecond);
}

} // namespace kimi::test
