// What skinny_gemm accepts, which parameters it chooses, how it is launched, and how its text is put
// together.
#include "compiler/kernels/cuda/SkinnyGemmAmpere.h"
#include "tests/gpu/SkinnySamples.h"

#include <gtest/gtest.h>

namespace kimi::cuda {
namespace {

using gpu::sampleEpilogue;
using gpu::samplePrologue;

constexpr int multiprocessors = 132;

SkinnyParameters chosen(const SkinnyProblem &problem, const Splice &epilogue = sampleEpilogue("store")) {
  auto parameters = chooseSkinny(problem, {}, epilogue, multiprocessors);
  EXPECT_TRUE(bool(parameters)) << llvm::toString(parameters.takeError());
  return parameters ? *parameters : SkinnyParameters{};
}

std::string refusal(const SkinnyProblem &problem, const Splice &prologue = {},
                    const Splice &epilogue = sampleEpilogue("store")) {
  auto parameters = chooseSkinny(problem, prologue, epilogue, multiprocessors);
  return parameters ? "accepted" : llvm::toString(parameters.takeError());
}

bool has(const std::string &text, const std::string &part) { return text.find(part) != std::string::npos; }

// The measured choices of README.md: a change here is a change of speed.
TEST(SkinnyGemm, ChoosesWhatWasMeasured) {
  struct Row {
    int64_t columns, depth, tokens;
    SkinnyParameters
        parameters; // tile, row tiles, depth groups, split, stages, accumulators, successors, residency,
                    // token rows, token blocks, weights first, lead
  };
  const Row rows[] = {
      {2112, 7168, 1, {8, 1, 1, 7, 8, 7, 2, 0, 3}},   {2112, 7168, 16, {16, 1, 1, 7, 7, 6, 2, 0, 3}},
      {12288, 1536, 1, {8, 2, 1, 2, 6, 6, 2, 0, 2}},  {4096, 7168, 16, {16, 1, 1, 4, 7, 7, 2, 0, 3}},
      {7168, 8192, 1, {8, 1, 2, 2, 12, 14, 2, 0, 2}}, {7168, 2048, 1, {8, 1, 2, 1, 12, 14, 2, 0, 2}},
      {7168, 8192, 64, {64, 2, 1, 2, 5, 3, 1, 1, 2}},
      {2112, 7168, 64, {64, 1, 2, 2, 14, 12, 1, 2, 1, 1, 1, 4}},
      {12288, 1536, 64, {64, 1, 1, 1, 7, 6, 1, 2, 2, 1, 1, 0}},
      {4096, 7168, 64, {64, 1, 1, 2, 7, 6, 1, 1, 2, 1, 1, 0, 10}},
      {7168, 2048, 64, {64, 1, 1, 1, 7, 6, 1, 2, 2, 1, 1, 0}},
      {2112, 7168, 128, {64, 1, 1, 2, 7, 6, 1, 1, 2, 1, 2, 0, 10}},
      {12288, 1536, 128, {128, 2, 1, 1, 7, 6, 2, 1, 1, 1, 1, 5, 4}},
      {7168, 8192, 128, {128, 2, 1, 2, 7, 6, 1, 1, 1, 1, 1, 3, 6}},
      {4096, 7168, 128, {128, 1, 1, 2, 5, 4, 1, 1, 2, 1, 1, 0, 6}},
      {7168, 2048, 128, {64, 2, 1, 1, 5, 3, 1, 1, 2, 1, 2, 0, 3}},
  };
  for (const Row &row : rows)
    EXPECT_TRUE(chosen({row.columns, row.depth, row.tokens, SkinnyFormat::e4m3xE4m3, {}}) == row.parameters)
        << row.columns << " x " << row.depth << " for " << row.tokens << " tokens";
}

// Any problem that is accepted gets parameters that pass their own check, with room for the tokens and the
// promised residency.
TEST(SkinnyGemm, EveryChoiceIsPossible) {
  for (int64_t columns : {64, 384, 576, 2112, 2304, 4096, 7168, 12288, 163840})
    for (int64_t depth : {128, 512, 1536, 2048, 7168, 18432})
      for (int64_t tokens : {1, 8, 9, 17, 33, 64, 65, 128})
        for (SkinnyFormat format :
             {SkinnyFormat::e4m3xE4m3, SkinnyFormat::e4m3xBf16, SkinnyFormat::bf16xBf16}) {
          const SkinnyProblem problem = {columns, depth, tokens, format, {}};
          const SkinnyParameters p = chosen(problem);
          EXPECT_GE(p.tokenTile * p.tokenBlocks, tokens);
          EXPECT_LE((skinnySharedBytes(problem, p) + 1024) * p.residency, 228 * 1024);
          EXPECT_EQ(skinnyLaunch(problem, p, {}).grid % p.split, 0);
          EXPECT_FALSE(bool(checkSkinny(problem, p, {}, sampleEpilogue("store"))));
        }
}

TEST(SkinnyGemm, RefusesByName) {
  const SkinnyFormat format = SkinnyFormat::e4m3xE4m3;
  EXPECT_TRUE(has(refusal({4096, 7168, 129, format, {}}), "1 to 128 tokens, not 129"));
  EXPECT_TRUE(has(refusal({4096, 7176, 1, format, {}}), "depth 7176 is no multiple of 16"));
  EXPECT_TRUE(has(refusal({2112, 7168, 1, format, {1000, 1112}}), "begins at row 1000 cuts one"));
  EXPECT_TRUE(has(refusal({2112, 7168, 1, format, {1536, 512}}), "cover 2048 rows, the weight has 2112"));
  EXPECT_TRUE(has(refusal({4096, 7168, 1, format, {}}, samplePrologue("scale")),
                  "element prologue on bf16 activations only"));
  EXPECT_TRUE(has(refusal({2112, 7168, 1, format, {}}, {}, sampleEpilogue("quantise")), "2112 columns"));
  EXPECT_TRUE(has(refusal({384, 7168, 1, format, {}}, {}, sampleEpilogue("argmax")),
                  "384 columns, 256 rows per block"));
  EXPECT_TRUE(has(refusal({4098, 7168, 1, format, {}}), "4098 is no multiple"));
  EXPECT_TRUE(has(refusal({4096, 7168, 1, format, {}}, {}, {}), "needs an epilogue that stores"));
  EXPECT_TRUE(
      has(refusal({4096, 7168, 1, format, {}}, sampleEpilogue("quantise")), "element prologue or none"));
}

// Parameters from #kernel.impl, edited by hand.
TEST(SkinnyGemm, RefusesParametersThatWouldHangOrNotFit) {
  const SkinnyProblem problem = {4096, 7168, 16, SkinnyFormat::e4m3xE4m3, {}};
  const SkinnyParameters good = {16, 1, 2, 2, 8, 8, 2, 0, 2};
  const auto reason = [&](auto change) {
    SkinnyParameters p = good;
    change(p);
    return llvm::toString(checkSkinny(problem, p, {}, sampleEpilogue("store")));
  };
  EXPECT_FALSE(bool(checkSkinny(problem, good, {}, sampleEpilogue("store"))));
  EXPECT_TRUE(has(reason([](auto &p) { p.tokenTile = 8; }), "at least the 16 tokens"));
  EXPECT_TRUE(has(reason([](auto &p) { p.weightStages = 7; }), "must divide both rings' stages, 7 and 8"));
  EXPECT_TRUE(has(reason([](auto &p) { p.tokenStages = 2; }), "accumulators * depth_groups = 4"));
  EXPECT_TRUE(has(reason([](auto &p) { p.split = 9; }), "not 9"));
  EXPECT_TRUE(has(reason([](auto &p) { p.weightStages = 32; }), "take fewer stages"));
  EXPECT_TRUE(has(reason([](auto &p) { p.residency = 5; }), "not 0 and 5"));
  EXPECT_TRUE(has(reason([](auto &p) { p.tokenRows = 1; }), "token_tile 64 or 128 and row_tiles 1 or 2"));
  EXPECT_TRUE(has(reason([](auto &p) { p.tokenRows = 2; }), "token_rows is 0 or 1, not 2"));
  EXPECT_TRUE(has(reason([](auto &p) { p.tokenBlocks = 3; }), "not 16 * 3"));
  EXPECT_TRUE(has(reason([](auto &p) { p.weightsFirst = 9; }), "0 to weight_stages = 8, not 9"));
  EXPECT_TRUE(has(reason([](auto &p) { p.lead = 3; }), "not 3 with successors 0"));
}

TEST(SkinnyGemm, LaunchOfFusedA) {
  const SkinnyProblem problem = {2112, 7168, 4, SkinnyFormat::e4m3xE4m3, {1536, 576}};
  const SkinnyParameters p = {8, 1, 1, 4, 12, 14, 2, 0, 2};
  const SkinnyLaunch launch = skinnyLaunch(problem, p, {});
  EXPECT_EQ(launch.grid, 33 * 4); // 2112 = 33 x 64
  EXPECT_EQ(launch.threads, 128 + 128);
  EXPECT_EQ(launch.cluster, 4);
  ASSERT_EQ(launch.maps.size(), 2u);
  EXPECT_EQ(launch.maps[0].argument, 0);
  EXPECT_EQ(launch.maps[0].shape, (std::array<int64_t, 2>{7168, 2112}));
  EXPECT_EQ(launch.maps[0].box, (std::array<int, 2>{128, 64}));
  EXPECT_EQ(launch.maps[1].argument, 2); // after the weight and its scales
  EXPECT_EQ(launch.maps[1].shape, (std::array<int64_t, 2>{7168, 4}));
  EXPECT_EQ(launch.maps[1].box, (std::array<int, 2>{128, 8}));
}

// Gate and up of a shared expert: as many blocks as for one weight of all rows, half of each block's rows of each weight.
TEST(SkinnyGemm, TwinsShareBlocks) {
  SkinnyProblem problem = {4096, 7168, 16, SkinnyFormat::e4m3xE4m3, {}};
  const SkinnyParameters ofOne = chosen(problem);
  problem.twins = true;
  const SkinnyParameters p = chosen(problem, sampleEpilogue("twin_swiglu"));
  EXPECT_TRUE(p == ofOne);
  const SkinnyLaunch launch = skinnyLaunch(problem, p, {});
  EXPECT_EQ(launch.grid, 64 * p.split);
  ASSERT_EQ(launch.maps.size(), 3u);
  for (int weight : {0, 1}) {
    EXPECT_EQ(launch.maps[weight].argument, 2 * weight); // each with its scales
    EXPECT_EQ(launch.maps[weight].shape, (std::array<int64_t, 2>{7168, 2048}));
    EXPECT_EQ(launch.maps[weight].box, (std::array<int, 2>{128, 32}));
  }
  EXPECT_EQ(launch.maps[2].argument, 4);
  EXPECT_EQ(skinnySharedBytes(problem, p), skinnyLaunch(problem, p, {}).sharedBytes);
  const std::string text = skinnyText("gate_up", problem, p, {}, sampleEpilogue("twin_swiglu"));
  EXPECT_TRUE(has(text, "static constexpr int twins = 1;"));
  EXPECT_TRUE(has(text, "    const Shape::Weight *twinWeight,\n    const float *twinScales,\n    const Shape::Token *activations,"));
  EXPECT_TRUE(has(text, "Epilogue{out},\n                    twinScales, &twinMap);"));
}

TEST(SkinnyGemm, RefusesTwinsByName) {
  SkinnyProblem problem = {4096, 7168, 16, SkinnyFormat::e4m3xE4m3, {}};
  problem.twins = true;
  EXPECT_TRUE(has(refusal(problem), "sums of two weights to epilogues of class pair or block only: peel"));
  SkinnyParameters p = chosen(problem, sampleEpilogue("twin_swiglu"));
  p.rowTiles = 3;
  EXPECT_TRUE(has(llvm::toString(checkSkinny(problem, p, {}, sampleEpilogue("twin_swiglu"))), "row_tiles is 1, 2 or 4"));
  problem.scaleSegments = {2048, 2048};
  EXPECT_TRUE(has(refusal(problem, {}, sampleEpilogue("twin_swiglu")), "each with one grid of scales, not 4096 rows in 2"));
  problem.scaleSegments = {};
  problem.tokens = 33;
  EXPECT_TRUE(has(refusal(problem, {}, sampleEpilogue("twin_quantise")), "spans of 256 of 4096 columns and up to 64 tokens"));
  problem.columns = 36864; // 144 blocks
  problem.tokens = 1;
  EXPECT_TRUE(has(refusal(problem, {}, sampleEpilogue("twin_quantise")), "spans of 256 of 36864 columns and up to 8 tokens"));
  problem.columns = 4096;
  problem.tokens = 32;
  EXPECT_EQ(chosen(problem, sampleEpilogue("twin_quantise")).residency, 2);
}

TEST(SkinnyGemm, TextJoinsConstantsFunctorsAndArguments) {
  const SkinnyProblem problem = {640, 1024, 8, SkinnyFormat::e4m3xBf16, {320, 320}};
  const Splice prologue = samplePrologue("scale"), epilogue = sampleEpilogue("residual");
  const std::string text = skinnyText("layer_0", problem, {8, 1, 1, 1, 4, 4, 1, 0, 1}, prologue, epilogue);
  EXPECT_FALSE(has(text, "#include"));
  EXPECT_TRUE(has(text, "static constexpr int columns = 640;"));
  EXPECT_TRUE(has(text, "return column < 320 ? 0 + (column - 0) / 128 : 3 + (column - 320) / 128;"));
  EXPECT_TRUE(
      has(text,
          "layer_0(const long long *dims,\n    const Shape::Weight *weight,\n    const float *weightScales,\n"
          "    const Shape::Token *activations,\n    const float *factors,\n    uint2 *out,\n"
          "    const Bf16 *addend,\n    const __grid_constant__ TensorMap weightMap,\n"));
  EXPECT_TRUE(has(text, "Prologue{factors}, Epilogue{out, addend}"));
}

TEST(SkinnyGemm, LaunchOfTokensInTwoBlocks) {
  const SkinnyProblem problem = {2112, 7168, 100, SkinnyFormat::e4m3xE4m3, {1536, 576}};
  const SkinnyLaunch launch = skinnyLaunch(problem, {64, 1, 1, 2, 7, 6, 1, 1, 2, 1, 2, 0}, {});
  EXPECT_EQ(launch.grid, 33 * 2 * 2); // row tiles, token blocks, parts of the depth
  EXPECT_EQ(launch.threads, 128 + 128);
  EXPECT_EQ(launch.cluster, 2);
  ASSERT_EQ(launch.maps.size(), 2u);
  EXPECT_EQ(launch.maps[1].shape, (std::array<int64_t, 2>{7168, 100}));
  EXPECT_EQ(launch.maps[1].box, (std::array<int, 2>{128, 64}));
}

TEST(SkinnyGemm, AmpereHasLessSharedMemory) {
  auto parameters =
      chooseSkinnyAmpere({256, 7168, 128, SkinnyFormat::bf16xBf16, {}}, {}, sampleEpilogue("argmax"));
  ASSERT_FALSE(bool(parameters));
  EXPECT_TRUE(has(llvm::toString(parameters.takeError()), "196608 bytes of shared memory for 256 rows and 128 "
                                                          "tokens, 166912 are there"));
}

TEST(SkinnyGemm, AmpereHasNoCodesTimesCodes) {
  auto parameters =
      chooseSkinnyAmpere({4096, 7168, 8, SkinnyFormat::e4m3xE4m3, {}}, {}, sampleEpilogue("store"));
  ASSERT_FALSE(bool(parameters));
  EXPECT_TRUE(has(llvm::toString(parameters.takeError()), "use profile w8a16"));
}

} // namespace
} // namespace kimi::cuda
