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

/// To nearest even, ties and carries as integer arithmetic on the bits: 20 of 23 fraction bits go. Below the normal numbers
/// an addition rounds to multiples of 2^-9, the smallest code.
struct NarrowFloat8 : OpRewritePattern<arith::TruncFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::TruncFOp op, PatternRewriter &rewriter) const override {
    Type from = op.getIn().getType(), to = op.getType();
    if (!isa<Float8E4M3FNType>(getElementTypeOrSelf(to)) || !getElementTypeOrSelf(from).isF32())
      return failure();
    Location loc = op.getLoc();
    Type i32 = withElement(from, rewriter.getI32Type());
    auto integer = [&](int32_t value) { return constant(rewriter, loc, i32, rewriter.getI32IntegerAttr(value)); };
    auto number = [&](float value) { return constant(rewriter, loc, from, rewriter.getF32FloatAttr(value)); };
    auto make = [&]<typename Op>(Value left, Value right) -> Value { return Op::create(rewriter, loc, left, right); };
    auto bitsOf = [&](Value value) -> Value { return arith::BitcastOp::create(rewriter, loc, i32, value); };

    Value bits = bitsOf(op.getIn());
    Value positive = make.operator()<arith::AndIOp>(bits, integer(0x7FFFFFFF));
    Value plain = arith::BitcastOp::create(rewriter, loc, from, positive);
    Value size = make.operator()<arith::MinNumFOp>(plain, number(448));
    Value isSmall = arith::CmpFOp::create(rewriter, loc, arith::CmpFPredicate::OLT, size, number(0x1p-6f));
    Value code = arith::SelectOp::create(rewriter, loc, isSmall, smallCode(rewriter, loc, size, number(0x1p14f), i32),
                                         normalCode(rewriter, loc, bitsOf(size), integer));
    Value sign = make.operator()<arith::AndIOp>(make.operator()<arith::ShRUIOp>(bits, integer(24)), integer(0x80));
    Value whole = make.operator()<arith::OrIOp>(code, sign);
    Value byte = arith::TruncIOp::create(rewriter, loc, withElement(from, rewriter.getI8Type()), whole);
    rewriter.replaceOpWithNewOp<arith::BitcastOp>(op, to, byte);
    return success();
  }

private:
  /// Adds half of what is cut off, less one where the last kept bit is even, and takes the bias from 127 to 7.
  static Value normalCode(PatternRewriter &rewriter, Location loc, Value size,
                          llvm::function_ref<Value(int32_t)> integer) {
    Value kept = arith::ShRUIOp::create(rewriter, loc, size, integer(20));
    Value odd = arith::AndIOp::create(rewriter, loc, kept, integer(1));
    Value half = arith::AddIOp::create(rewriter, loc, odd, integer(0x7FFFF));
    Value rounded = arith::AddIOp::create(rewriter, loc, size, half);
    Value cut = arith::ShRUIOp::create(rewriter, loc, rounded, integer(20));
    return arith::SubIOp::create(rewriter, loc, cut, integer((127 - 7) << 3));
  }

  /// size + 2^14 has units of 2^-9 in its last place: its bits less those of 2^14 count them.
  static Value smallCode(PatternRewriter &rewriter, Location loc, Value size, Value magic, Type i32) {
    Value sum = arith::AddFOp::create(rewriter, loc, size, magic);
    Value sumBits = arith::BitcastOp::create(rewriter, loc, i32, sum);
    Value magicBits = arith::BitcastOp::create(rewriter, loc, i32, magic);
    return arith::SubIOp::create(rewriter, loc, sumBits, magicBits);
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
  patterns.add<WidenFloat8, NarrowFloat8, MoveFactorToScale>(patterns.getContext());
}
