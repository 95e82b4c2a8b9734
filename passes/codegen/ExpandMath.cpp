// kimi-expand-math: conversions and transcendental functions as plain arithmetic.
#include "passes/codegen/Float8.h"
#include "passes/codegen/Passes.h"

#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace kimi::passes {
#define GEN_PASS_DEF_EXPANDMATH
#include "passes/codegen/Passes.h.inc"
} // namespace kimi::passes

using namespace mlir;

namespace {

struct ExpandMath : kimi::passes::impl::ExpandMathBase<ExpandMath> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateMathPolynomialApproximationPatterns(patterns);
    arith::populateExpandBFloat16Patterns(patterns);
    kimi::passes::populateExpandFloat8Patterns(patterns);
    arith::populateCeilFloorDivExpandOpsPatterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
