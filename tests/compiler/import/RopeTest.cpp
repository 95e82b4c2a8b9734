// Rotary frequencies against the reference's, where those are at hand.
#include "compiler/import/Rope.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/JSON.h"

#include <gtest/gtest.h>

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

} // namespace
} // namespace kimi::test
