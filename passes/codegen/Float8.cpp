#include "passes/codegen/Float8.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

namespace {

// The exponent's bias is 7 in e4m3 and 15 in f16: the same bits mean a value 2^8 times smaller, also below the normal
// numbers.
constexpr double kBiasFactor = 256;

/// `element` in the shape of `like`, a scalar or a vector.
Type withElement(Type like, Type element) {
  auto vector = dyn_cast<VectorType>(like);
  return vector ? Type(vector.clone(element)) : element;
}

Value constant(PatternRewriter &rewriter, Location loc, Type type, TypedAttr value) {
  if (auto vector = dyn_cast<VectorType>(type))
    return arith::ConstantOp::create(rewriter, loc, vector, DenseElementsAttr::get(vector, value));
  return arith::ConstantOp::create(rewriter, loc, value);
}

/// s eeee mmm → s 0eeee mmm0000000, read as f16, times 256: the sign-extended byte, shifted by 7, without bit 14. Every finite
/// code is exact.
struct WidenFloat8 : OpRewritePattern<arith::ExtFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::ExtFOp op, PatternRewriter &rewriter) const override {
    Type from = op.getIn().getType(), to = op.getType();
    if (!isa<Float8E4M3FNType>(getElementTypeOrSelf(from)) || !getElementTypeOrSelf(to).isF32())
      return failure();
    Location loc = op.getLoc();
    Type i16 = withElement(from, rewriter.getI16Type());
    auto number = [&](int64_t value) {
      return constant(rewriter, loc, i16, rewriter.getI16IntegerAttr(static_cast<int16_t>(value)));
    };
    Value byte = arith::BitcastOp::create(rewriter, loc, withElement(from, rewriter.getI8Type()), op.getIn());
    Value extended = arith::ExtSIOp::create(rewriter, loc, i16, byte);
    Value shifted = arith::ShLIOp::create(rewriter, loc, extended, number(7));
    Value bits = arith::AndIOp::create(rewriter, loc, shifted, number(0xBFFF));
    Value half = arith::BitcastOp::create(rewriter, loc, withElement(from, rewriter.getF16Type()), bits);
    Value value = arith::ExtFOp::create(rewriter, loc, to, half);
    Value factor = constant(rewriter, loc, to, rewriter.getF32FloatAttr(kBiasFactor));
    rewriter.replaceOpWithNewOp<arith::MulFOp>(op, value, factor);
    return success();
  }
};

/// (half * 256) * scale → half * (scale * 256): it leaves the inner loop. Both are the same number, since half *
/// 256 is exact and scales are below 2^119 (the packer's bound), so that scale * 256 is exact too.
struct MoveFactorToScale : OpRewritePattern<arith::MulFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::MulFOp op, PatternRewriter &rewriter) const override {
    auto inner = op.getLhs().getDefiningOp<arith::MulFOp>();
    auto half = inner ? inner.getLhs().getDefiningOp<arith::ExtFOp>() : arith::ExtFOp();
    APFloat factor(0.0f);
    if (!half || !getElementTypeOrSelf(half.getIn().getType()).isF16() ||
        !matchPattern(inner.getRhs(), m_ConstantFloat(&factor)) || !factor.isExactlyValue(kBiasFactor))
      return failure();
    Value scale = arith::MulFOp::create(rewriter, op.getLoc(), op.getRhs(), inner.getRhs());
    rewriter.replaceOpWithNewOp<arith::MulFOp>(op, half, scale);
    return success();
  }
};

} // namespace

void kimi::passes::populateExpandFloat8Patterns(RewritePatternSet &patterns) {
  patterns.add<WidenFloat8, MoveFactorToScale>(patterns.getContext());
}
