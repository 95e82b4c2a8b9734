// Rotary frequencies against the reference's, and the whole-K2 configs, where those data are at hand.
#include "compiler/import/Rope.h"
#include "tests/compiler/import/TestCheckpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

namespace kimi::test {
namespace {

using model::RopeAttr;

RopeAttr makeRope(mlir::MLIRContext &context, int64_t dim, double theta, double factor, double fast, double slow) {
  context.loadDialect<model::KimiDialect>();
  mlir::Builder builder(&context);
  auto number = [&](double value) { return builder.getF64FloatAttr(value); };
  return RopeAttr::get(&context, dim, number(theta), number(factor), 4096, number(fast), number(slow), number(1));
}

TEST(Rope, PlainFrequenciesArePowersOfTheta) {
  mlir::MLIRContext context;
  const std::vector<float> frequencies = import_::ropeFrequencies(makeRope(context, 4, 10000, 1, 32, 1));
  ASSERT_EQ(frequencies.size(), 2u);
  EXPECT_EQ(frequencies[0], 1.0f);
  EXPECT_FLOAT_EQ(frequencies[1], 0.01f);
}

TEST(Rope, EqualCorrectionsMakeAHardStep) {
  // Slightly less than one rotation over the original context: low and high are 0, every later pair is divided.
  mlir::MLIRContext context;
  const std::vector<float> frequencies = import_::ropeFrequencies(makeRope(context, 4, 10000, 10, 684.5, 684.5));
  EXPECT_EQ(frequencies[0], 1.0f);
  EXPECT_FLOAT_EQ(frequencies[1], 0.001f);
}

TEST(Rope, YarnAgreesWithTheReferenceVectors) {
  std::ifstream file(std::string(KIMI_SHARED_DATA) + "/vectors/yarn.json");
  if (!file)
    GTEST_SKIP() << "no yarn.json in " << KIMI_SHARED_DATA;
  std::stringstream text;
  text << file.rdbuf();
  llvm::json::Value vectors = llvm::cantFail(llvm::json::parse(text.str()));
  mlir::MLIRContext context;
  for (const auto &[name, value] : *vectors.getAsObject()) {
    const llvm::json::Object &release = *value.getAsObject();
    const std::vector<float> frequencies = import_::ropeFrequencies(
        makeRope(context, 64, 50000, *release.getNumber("factor"), *release.getNumber("beta_fast"),
                 *release.getNumber("beta_slow")));
    const llvm::json::Array &expected = *release.getArray("inv_freq");
    ASSERT_EQ(frequencies.size(), expected.size());
    for (size_t i = 0; i < frequencies.size(); ++i) {
      // The file was computed in double precision; the reference rounds each of four steps to float32.
      const double wanted = *expected[i].getAsNumber();
      EXPECT_NEAR(frequencies[i] / wanted, 1.0, 4 * 0x1p-24) << name.str() << " pair " << i;
    }
  }
}

/// The whole models, from their published config.json: weights are not needed to look at the IR.
TEST(WholeModel, EveryReleaseImportsFromItsConfigInAFewHundredLines) {
  const std::string folder = std::string(KIMI_SHARED_DATA) + "/config";
  if (!std::filesystem::exists(folder))
    GTEST_SKIP() << "no configs in " << KIMI_SHARED_DATA;
  int count = 0;
  for (const auto &entry : std::filesystem::directory_iterator(folder)) {
    const std::string path = entry.path().string();
    if (!path.ends_with(".config.json"))
      continue;
    const std::string text = importFolder(path, {.configOnly = true});
    EXPECT_THAT(text, ::testing::StartsWith("module @kimi_k2")) << path;
    EXPECT_LT(std::ranges::count(text, '\n'), 500) << path;
    EXPECT_THAT(text, ::testing::HasSubstr("tensor<384x2048x7168xbf16>"));
    EXPECT_THAT(text, ::testing::HasSubstr("kimi.cache @latent : !kimi.cache<576 x bf16> layers 61"));
    const bool isInstruct = path.ends_with("kimi-k2-instruct.config.json");
    EXPECT_THAT(text, ::testing::HasSubstr(isInstruct ? "scale 0.13086079996295" : "scale 0.14467962580268")) << path;
    ++count;
  }
  EXPECT_GE(count, 1);
}

} // namespace
} // namespace kimi::test
