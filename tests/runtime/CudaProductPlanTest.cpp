// What a plan may not say of a library's products. No device is needed to refuse it.
#include "runtime/engine/Artifact.h"
#include "tests/runtime/ToyProduct.h"

#include <gtest/gtest.h>

namespace kimi::test {

using namespace artifact;

class CudaProductPlanTest : public testing::Test {
protected:
  std::string refusal(const std::function<void(PlanT &)> &edit) {
    auto directory = writeToyCudaArtifact(scratch.path(), [&](PlanT &plan) {
      writeFile(scratch.path() / "toy.kimi/weights/product", productWeightBytes());
      useProduct(plan);
      edit(plan);
    });
    auto opened = runtime::Artifact::open(directory, {});
    return opened ? "" : opened.error().message;
  }

  void expectRefused(std::string_view part, const std::function<void(PlanT &)> &edit) {
    SCOPED_TRACE(part);
    std::string message = refusal(edit);
    EXPECT_NE(message.find(part), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }

  void expectProductRefused(std::string_view part, const std::function<void(MatrixProductT &)> &edit) {
    expectRefused(part, [&](PlanT &plan) { edit(*plan.ranks[0]->kernels[kProductKernel]->product); });
  }

  /// An edit of the product's launch.
  void expectLaunchRefused(std::string_view part, const std::function<void(LaunchT &)> &edit) {
    expectRefused(part, [&](PlanT &plan) { edit(*plan.ranks[0]->blocks[1]->steps[1]->kind.AsLaunch()); });
  }

  ScratchDirectory scratch;
};

TEST_F(CudaProductPlanTest, TheGoodOneIsGood) {
  EXPECT_EQ(refusal([](PlanT &) {}), "");
}

TEST_F(CudaProductPlanTest, Kernels) {
  expectRefused("kernel linear_8x64_over128: its product is of the library magic, but this runtime knows cublaslt",
                [](PlanT &plan) { plan.ranks[0]->kernels[kProductKernel]->implementation = "magic"; });
  expectProductRefused("its product is of data types 5 and 8 to 7, expected 5 and 5 to 7 or 5",
                       [](MatrixProductT &p) { p.weight_type = DataType::f8e4m3; });
  expectProductRefused("its product is of data types 5 and 5 to 99", [](MatrixProductT &p) { p.result_type = DataType(99); });
  expectProductRefused("its product's columns is 0, expected 1 to", [](MatrixProductT &p) { p.columns = 0; });
  expectProductRefused("its product's depth is -1, expected 1 to", [](MatrixProductT &p) { p.depth = -1; });
  expectProductRefused("its product's workspace is", [](MatrixProductT &p) { p.workspace_bytes = ~uint64_t(0); });
}

TEST_F(CudaProductPlanTest, OnlyGpusHaveIt) {
  expectRefused("kernel linear_8x64_over128 is a product of the library cublaslt, which is for GPUs, but the target is cpu:x",
                [](PlanT &plan) { plan.ranks[0]->target = "cpu:x"; });
}

TEST_F(CudaProductPlanTest, Arguments) {
  expectProductRefused("the product's activations is 4, but there are 4", [](MatrixProductT &p) { p.activations = 4; });
  expectProductRefused("the product's workspace is 9, but there are 4", [](MatrixProductT &p) { p.workspace = 9; });
  expectProductRefused("the product's weight takes 2048 bytes of an argument of 1024",
                       [](MatrixProductT &p) { p.columns *= 2; });
  expectProductRefused("the product's activations takes 262144 bytes of an argument of",
                       [](MatrixProductT &p) { p.depth = 8192; });
  expectProductRefused("the product's workspace takes 1025 bytes of an argument of 1024",
                       [](MatrixProductT &p) { p.workspace_bytes = 1025; });
  expectLaunchRefused("the product's workspace: arena offset 12352 is not a multiple of 256",
                      [](LaunchT &l) { l.arguments[3].mutate_value(kProductScratch + 64); });
  expectLaunchRefused("the product's result: arena offset 10244 is not a multiple of 64",
                      [](LaunchT &l) { l.arguments[2].mutate_value(kProductSums + 4); });
  expectLaunchRefused("the product's workspace is not in the arena", [](LaunchT &l) { l.arguments[3] = l.arguments[1]; });
  expectLaunchRefused("the product's result is neither in the arena nor a step output",
                      [](LaunchT &l) { l.arguments[2] = {ArgumentKind::weight, 0}; });
}

TEST_F(CudaProductPlanTest, Grids) {
  expectLaunchRefused("the grid has 0 extents, but a product's is the number of its rows", [](LaunchT &l) { l.grid.clear(); });
  expectLaunchRefused("the product's activations takes 204800000 bytes of an argument of", [](LaunchT &l) {
    l.grid[0] = {DimSymbol::tokens, 100000, 1};
  });
}

TEST_F(CudaProductPlanTest, DecodeEntriesAreGraphs) {
  expectRefused("entry decode_1: block layer_over128: launch of linear_8x64_over128: a product of a library stands in a decode "
                "entry, whose graph holds kernels only",
                [](PlanT &plan) {
                  auto &entry = *plan.ranks[0]->entries[0];
                  entry.arena_bytes = uint64_t(kProductScratch + kProductWorkspace);
                  entry.steps[1]->kind.AsCall()->block = 1;
                });
}

} // namespace kimi::test
