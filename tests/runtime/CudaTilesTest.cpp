// A plan as kimic writes it for tensor-core templates: programmatic kernels in clusters that read weights and
// the arena through tensor maps, in blocks called for each layer.
#include "runtime/base/Hash.h"
#include "tests/runtime/CudaToy.h"

namespace kimi::test {

using namespace artifact;

static constexpr int64_t kTileBytes = 128, kActivations = 64 * kToyHidden * 4; // behind the largest x
static constexpr uint32_t kActivate = 6, kTiles = 7;                           // kernels

/// weights[layer][n] = toyBias(layer, n), 0, 0, ... in e4m3
static std::string tileBytes() {
  std::string bytes;
  for (uint32_t layer = 0; layer < kToyLayers; ++layer)
    for (uint32_t n = 0; n < kToyHidden; ++n) {
      static constexpr unsigned char kCodes[] = {0xc0, 0xb8, 0, 0x38, 0x40}; // -2 .. 2
      bytes.resize(size_t(layer * kToyHidden + n + 1) * kTileBytes);
      bytes[size_t(layer * kToyHidden + n) * kTileBytes] = char(kCodes[int(toyBias(layer, n)) + 2]);
    }
  return bytes;
}

static std::unique_ptr<TensorMapT> tileMap(uint32_t argument, DataType type, int64_t width, Extent rows,
                                           uint32_t boxRows) {
  auto map = std::make_unique<TensorMapT>();
  map->argument = argument;
  map->type = type;
  map->shape = {{DimSymbol::one, width, 1}, rows};
  map->strides = {kTileBytes};
  map->box = {uint32_t(width), boxRows};
  map->swizzle = Swizzle::bytes_128;
  return map;
}

static std::unique_ptr<StepT> step(uint32_t kernel, Extent grid, std::vector<Argument> arguments) {
  LaunchT launch;
  launch.kernel = kernel;
  launch.grid = {grid};
  launch.arguments = std::move(arguments);
  auto step = std::make_unique<StepT>();
  step->kind.Set(std::move(launch));
  return step;
}

static std::unique_ptr<KernelT> kernel(const char *name) {
  auto kernel = std::make_unique<KernelT>();
  kernel->name = name;
  kernel->implementation = "skinny_gemm";
  kernel->threads = 256;
  return kernel;
}

class CudaTilesTest : public CudaTest {
protected:
  /// The toy's additions of a bias become products of tiles: two launches, the second programmatic.
  void useTiles(PlanT &plan) {
    RankT &rank = *plan.ranks[0];
    std::string bytes = tileBytes();
    writeFile(scratch.path() / "toy.kimi/weights/tiles", bytes);
    plan.files.push_back(std::make_unique<FileT>());
    plan.files.back()->path = "weights/tiles";
    plan.files.back()->bytes = bytes.size();
    plan.files.back()->hash = runtime::hashHex(std::as_bytes(std::span(bytes)));
    auto weight = std::make_unique<WeightT>();
    weight->name = "tiles";
    weight->type = DataType::f8e4m3;
    weight->shape = {kToyHidden, kTileBytes};
    weight->layout = "row_major";
    for (uint32_t layer = 0; layer < kToyLayers; ++layer)
      weight->slices.emplace_back(uint32_t(plan.files.size() - 1), layer * kToyHidden * kTileBytes,
                                  kToyHidden * kTileBytes);
    rank.weights.push_back(std::move(weight));
    rank.kernels.push_back(kernel("toy_activate"));
    rank.kernels.push_back(kernel("toy_tiles"));
    KernelT &tiles = *rank.kernels.back();
    tiles.cluster = 4;
    tiles.programmatic = true;
    tiles.tensor_maps.push_back(tileMap(0, DataType::f8e4m3, 128, {DimSymbol::one, kToyHidden, 1}, 64));
    tiles.tensor_maps.push_back(tileMap(1, DataType::bf16, 64, {DimSymbol::tokens, 1, 1}, 16));
    Argument activations{ArgumentKind::arena, kActivations}, x{ArgumentKind::arena, 0};
    auto &steps = rank.blocks[0]->steps;
    steps[0] = step(kTiles, {DimSymbol::one, kToyHidden, 1}, {{ArgumentKind::weight, 2}, activations, x});
    steps.insert(steps.begin(), step(kActivate, {DimSymbol::tokens, 1, 1}, {activations}));
    for (auto &entry : rank.entries)
      entry->arena_bytes = uint64_t(kActivations + entry->capacity->max_tokens * kTileBytes);
  }

  void loadTiles(const EngineOptions &options = defaultOptions(),
                 const std::function<void(PlanT &)> &edit = {}) {
    fake->notesOverlapping = true;
    load(options, [&](PlanT &plan) {
      useTiles(plan);
      if (edit)
        edit(plan);
    });
  }

  /// A prefill by launches, then a decode step by a graph of four, then one of one.
  void expectTokens() {
    runStep({{0, {1, 2, 3}, {0}}, {0, {4}, {1}}, {0, {7, 8}, {2}}});
    expectRow(0, {1, 2, 3});
    expectRow(1, {4});
    expectRow(2, {7, 8});
    runStep({{3, {5}, {0}}, {1, {6}, {1}}, {2, {9}, {2}}});
    expectRow(0, {1, 2, 3, 5});
    expectRow(1, {4, 6});
    expectRow(2, {7, 8, 9});
    runStep({{2, {10}, {1}}});
    expectRow(0, {4, 6, 10});
  }
};

static constexpr int64_t kLaunches = 1 + 4 * kToyLayers + 2; // of every entry

TEST_F(CudaTilesTest, OnlyEdgesIntoProgrammaticKernelsAreProgrammatic) {
  loadTiles();
  // Two graphs of two layers. What follows a programmatic kernel waits for all of it.
  EXPECT_EQ(fake->overlapping, "toy_tiles toy_tiles toy_tiles toy_tiles ");
  EXPECT_EQ(fake->fullEdges, 2 * (kLaunches - 1 - int64_t(kToyLayers)));
  fake->overlapping.clear();
  expectTokens();
  EXPECT_EQ(fake->overlapping, "toy_tiles toy_tiles "); // launches of the prefill
  EXPECT_EQ(fake->graphStarts, 2);
  EXPECT_EQ(fake->clusteredLaunches, 3 * int64_t(kToyLayers));
}

TEST_F(CudaTilesTest, WithoutGraphsNothingOverlaps) {
  EngineOptions options = defaultOptions();
  options.useGraphs = false;
  loadTiles(options);
  expectTokens();
  EXPECT_EQ(fake->overlapping, "");
}

TEST_F(CudaTilesTest, NothingOverlapsWhileProfiled) {
  loadTiles();
  fake->overlapping.clear();
  engine->setProfiling(true);
  expectTokens();
  EXPECT_EQ(fake->overlapping, "");
}

TEST_F(CudaTilesTest, AChainOfProgrammaticKernels) {
  loadTiles(defaultOptions(), [](PlanT &plan) {
    for (auto &kernel : plan.ranks[0]->kernels)
      kernel->programmatic = true;
  });
  EXPECT_EQ(fake->programmaticEdges, 2 * (kLaunches - 1));
  EXPECT_EQ(fake->fullEdges, 0);
  EXPECT_FALSE(fake->overlapping.contains("toy_embedding")); // the first of each graph
  expectTokens();
}

// A launch with nothing to do is no predecessor: what follows it is the first, behind a copy.
TEST_F(CudaTilesTest, TheFirstLaunchThatHasBlocksDoesNotOverlap) {
  loadTiles(defaultOptions(), [](PlanT &plan) {
    for (auto &kernel : plan.ranks[0]->kernels)
      kernel->programmatic = true;
    Argument logits{ArgumentKind::output, int64_t(StepOutput::logits)},
        sampled{ArgumentKind::output, int64_t(StepOutput::sampled_tokens)},
        finite{ArgumentKind::output, int64_t(StepOutput::finite)};
    for (auto &entry : plan.ranks[0]->entries)
      entry->steps.insert(entry->steps.begin(),
                          step(/*toy_sample*/ 5, {DimSymbol::bias_entries, 1, 1}, {logits, sampled, finite}));
  });
  fake->overlapping.clear();
  expectTokens();
  EXPECT_FALSE(fake->overlapping.contains("toy_embedding"));
}

} // namespace kimi::test
