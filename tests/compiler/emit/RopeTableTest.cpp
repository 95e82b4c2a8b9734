#include "compiler/emit/RopeTable.h"

#include "compiler/import/Rope.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/MLIRContext.h"

#include <cmath>
#include <gmock/gmock.h>

using namespace kimi;

static model::RopeAttr rope(mlir::MLIRContext &context, double magnitude) {
  mlir::Builder b(&context);
  return model::RopeAttr::get(&context, 8, b.getF64FloatAttr(50000), b.getF64FloatAttr(32), 4096, b.getF64FloatAttr(1),
                              b.getF64FloatAttr(1), b.getF64FloatAttr(magnitude));
}

TEST(RopeTable, HoldsCosinesThenSines) {
  mlir::MLIRContext context;
  context.loadDialect<model::KimiDialect>();
  const std::vector<float> table = emit::ropeTable(rope(context, 1), 2);
  ASSERT_EQ(table.size(), 16u);
  for (int pair = 0; pair < 4; ++pair) {
    EXPECT_EQ(table[pair], 1.0f);
    EXPECT_EQ(table[4 + pair], 0.0f);
  }
  const std::vector<float> frequencies = import_::ropeFrequencies(rope(context, 1));
  for (int pair = 0; pair < 4; ++pair) {
    EXPECT_EQ(table[8 + pair], static_cast<float>(std::cos(static_cast<double>(frequencies[pair]))));
    EXPECT_EQ(table[12 + pair], static_cast<float>(std::sin(static_cast<double>(frequencies[pair]))));
  }
}

// At position 131071 the angle is rounded by up to 2^-8: a table of exact angles would differ in the second digit.
TEST(RopeTable, AnglesAreProductsInFloat32) {
  mlir::MLIRContext context;
  context.loadDialect<model::KimiDialect>();
  const int64_t position = 131071;
  const std::vector<float> table = emit::ropeTable(rope(context, 1), position + 1);
  const float frequency = import_::ropeFrequencies(rope(context, 1))[1];
  const double rounded = static_cast<float>(position) * frequency, exact = static_cast<double>(position) * frequency;
  EXPECT_EQ(table[position * 8 + 1], static_cast<float>(std::cos(rounded)));
  EXPECT_NE(table[position * 8 + 1], static_cast<float>(std::cos(exact)));
}

TEST(RopeTable, MagnitudeScalesBoth) {
  mlir::MLIRContext context;
  context.loadDialect<model::KimiDialect>();
  const std::vector<float> plain = emit::ropeTable(rope(context, 1), 4), scaled = emit::ropeTable(rope(context, 2), 4);
  for (size_t i = 0; i < plain.size(); ++i)
    EXPECT_EQ(scaled[i], 2 * plain[i]);
}
