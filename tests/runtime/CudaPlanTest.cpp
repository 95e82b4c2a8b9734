// What a plan may not say of launches on a GPU. No device is needed to refuse it.
#include "runtime/engine/Artifact.h"
#include "tests/runtime/ToyArtifact.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace kimi::test {

using namespace artifact;

class CudaPlanTest : public testing::Test {
protected:
  void expectRefused(std::string_view part, const std::function<void(RankT &)> &edit) {
    SCOPED_TRACE(part);
    auto directory = writeToyCudaArtifact(scratch.path(), [&](PlanT &plan) { edit(*plan.ranks[0]); });
    auto opened = runtime::Artifact::open(directory, {});
    ASSERT_FALSE(opened.has_value());
    EXPECT_NE(opened.error().message.find(part), std::string::npos) << opened.error().message;
    EXPECT_EQ(opened.error().message.find('\n'), std::string::npos) << opened.error().message;
  }

  /// A good map over toy_add's x, then changed.
  void expectMapRefused(std::string_view part, const std::function<void(TensorMapT &)> &edit) {
    expectRefused(part, [&](RankT &rank) { rank.kernels[1]->tensor_maps.push_back(goodMap(edit)); });
  }

  static std::unique_ptr<TensorMapT> goodMap(const std::function<void(TensorMapT &)> &edit) {
    auto map = std::make_unique<TensorMapT>();
    map->argument = 1;
    map->type = DataType::f32;
    map->shape = {{DimSymbol::one, kToyHidden, 1}, {DimSymbol::tokens, 1, 1}};
    map->strides = {kToyHidden * 4};
    map->box = {kToyHidden, 1};
    edit(*map);
    return map;
  }

  ScratchDirectory scratch;
};

TEST_F(CudaPlanTest, TheGoodOneIsGood) {
  auto directory = writeToyCudaArtifact(scratch.path(), [](PlanT &plan) {
    plan.ranks[0]->kernels[1]->tensor_maps.push_back(goodMap([](TensorMapT &) {}));
  });
  auto opened = runtime::Artifact::open(directory, {});
  EXPECT_TRUE(opened.has_value()) << opened.error().message;
}

TEST_F(CudaPlanTest, Kernels) {
  expectRefused("kernel toy_add's threads is 0, expected 1 to 1024",
                [](RankT &r) { r.kernels[1]->threads = 0; });
  expectRefused("kernel toy_add's threads is 1025, expected 1 to 1024",
                [](RankT &r) { r.kernels[1]->threads = 1025; });
  expectRefused("kernel toy_add's cluster is 0, expected 1 to 8",
                [](RankT &r) { r.kernels[1]->cluster = 0; });
  expectRefused("kernel toy_add's cluster is 16, expected 1 to 8",
                [](RankT &r) { r.kernels[1]->cluster = 16; });
  expectRefused("kernel toy_add's shared bytes is", [](RankT &r) { r.kernels[1]->shared_bytes = ~0u; });
  expectRefused("kernel toy_add's code is 1, but there are 1", [](RankT &r) { r.kernels[1]->code = 1; });
}

TEST_F(CudaPlanTest, ClustersDivideGrids) {
  expectRefused("entry decode_1: launch of toy_embedding: the grid has 1 tasks at full capacity, which "
                "clusters of 2 do not "
                "divide",
                [](RankT &r) { r.kernels[0]->cluster = 2; });
}

TEST_F(CudaPlanTest, TensorMapShapes) {
  expectMapRefused("kernel toy_add: tensor map 0's rank is 0, expected 1 to 5",
                   [](TensorMapT &m) { m.shape.clear(); });
  expectMapRefused("rank is 6, expected 1 to 5", [](TensorMapT &m) {
    m.shape.resize(6, {DimSymbol::one, 1, 1});
  });
  expectMapRefused("number of strides is 0, expected 1 to 1", [](TensorMapT &m) { m.strides.clear(); });
  expectMapRefused("rank of the box is 1, expected 2 to 2", [](TensorMapT &m) { m.box.pop_back(); });
  expectMapRefused("box is 257, expected 1 to 256", [](TensorMapT &m) { m.box[1] = 257; });
  expectMapRefused("box is 0, expected 1 to 256", [](TensorMapT &m) { m.box[1] = 0; });
  expectMapRefused("box is 12 bytes wide, expected a multiple of 16", [](TensorMapT &m) { m.box[0] = 3; });
  expectMapRefused("stride is 36, expected a multiple of 16", [](TensorMapT &m) { m.strides[0] = 36; });
  expectMapRefused("stride is", [](TensorMapT &m) { m.strides[0] = ~uint64_t(15); });
  expectMapRefused("box is 64 bytes wide, but its swizzle works in 32", [](TensorMapT &m) {
    m.box[0] = 16;
    m.swizzle = Swizzle::bytes_32;
  });
  expectMapRefused("swizzle is 7, but there are 4", [](TensorMapT &m) { m.swizzle = Swizzle(7); });
  expectMapRefused("data type is 99", [](TensorMapT &m) { m.type = DataType(99); });
  expectMapRefused("dim symbol is 42", [](TensorMapT &m) { m.shape[1] = {DimSymbol(42), 1, 1}; });
  expectMapRefused("divisor is 0", [](TensorMapT &m) { m.shape[1] = {DimSymbol::tokens, 1, 0}; });
}

TEST_F(CudaPlanTest, TensorMapsOverArguments) {
  expectMapRefused("tensor map 0's argument is 2, but there are 2", [](TensorMapT &m) { m.argument = 2; });
  expectMapRefused("block layer: launch of toy_add: tensor map 0: spans 64 bytes of an argument of 32",
                   [](TensorMapT &m) {
                     m.shape[1] = {DimSymbol::tokens, 2, 1};
                   });
  expectMapRefused("tensor map 0: spans 64 bytes of an argument of 32", [](TensorMapT &m) { // of the bias
    m.argument = 0;
    m.shape[1] = {DimSymbol::one, 2, 1};
  });
  expectMapRefused("tensor map 0's extent is 0", [](TensorMapT &m) { m.shape[1] = {DimSymbol::one, 0, 1}; });
  expectRefused("tensor map 0: arena offset 4 is not a multiple of 16", [](RankT &rank) {
    rank.kernels[1]->tensor_maps.push_back(goodMap([](TensorMapT &) {}));
    for (auto &entry : rank.entries)
      entry->arena_bytes += 16;
    rank.blocks[0]->steps[0]->kind.AsLaunch()->arguments[1].mutate_value(4);
  });
}

// What templates read through: rows 128 bytes wide of a weight and of the arena, swizzled.
TEST_F(CudaPlanTest, TensorMapsOfTemplates) {
  for (auto type : {DataType::u8, DataType::f8e4m3, DataType::bf16})
    for (auto rows : {DimSymbol::one, DimSymbol::tokens, DimSymbol::logit_rows})
      for (int64_t surplus : {0, 1}) {
        SCOPED_TRACE(fmt::format("{} rows of {}, {} too many", EnumNameDimSymbol(rows),
                                 EnumNameDataType(type), surplus));
        auto directory = writeToyCudaArtifact(scratch.path(), [&](PlanT &plan) {
          RankT &rank = *plan.ranks[0];
          int64_t elements = type == DataType::bf16 ? 64 : 128;
          rank.entries.resize(1); // one token, one row
          rank.entries[0]->arena_bytes = 256;
          rank.blocks[0]->steps[0]->kind.AsLaunch()->arguments[1].mutate_value(128);
          auto map = goodMap([](TensorMapT &) {});
          map->type = type;
          map->swizzle = Swizzle::bytes_128;
          map->shape = {{DimSymbol::one, elements, 1}, {rows, rows == DimSymbol::one ? 1 + surplus : 1, 1}};
          if (rows != DimSymbol::one && surplus)
            map->shape[1].mutate_multiplier(2);
          map->strides = {128};
          map->box = {uint32_t(elements), 64};
          rank.kernels[1]->tensor_maps.push_back(std::move(map));
        });
        auto opened = runtime::Artifact::open(directory, {});
        EXPECT_EQ(opened.has_value(), surplus == 0) << (opened ? "" : opened.error().message);
        if (!opened) {
          EXPECT_NE(opened.error().message.find("spans 256 bytes of an argument of 128"), std::string::npos)
              << opened.error().message;
        }
      }
}

TEST_F(CudaPlanTest, TensorMapsOverCachesOfAnySize) {
  auto mapOverCache = [](RankT &rank, Extent rows) {
    auto map = goodMap([](TensorMapT &) {});
    map->argument = 2; // of toy_cache_write
    map->shape[1] = rows;
    rank.kernels[2]->tensor_maps.push_back(std::move(map));
  };
  auto directory = writeToyCudaArtifact(scratch.path(), [&](PlanT &plan) {
    mapOverCache(*plan.ranks[0], {DimSymbol::cache_blocks, 64, 1});
  });
  auto opened = runtime::Artifact::open(directory, {});
  EXPECT_TRUE(opened.has_value()) << opened.error().message;
  expectRefused("of an argument of 68719476736", [&](RankT &r) {
    mapOverCache(r, {DimSymbol::cache_blocks, 65, 1});
  });
  expectRefused("with 1 cache block: tensor map 0: spans 2080 bytes of an argument of 2048", [&](RankT &r) {
    mapOverCache(r, {DimSymbol::one, 65, 1});
  });
  expectRefused("tensor map 0's divisor of cache_blocks is 2, expected 1 to 1", [&](RankT &r) {
    mapOverCache(r, {DimSymbol::cache_blocks, 64, 2});
  });
}

} // namespace kimi::test
