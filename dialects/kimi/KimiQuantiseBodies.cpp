// Bodies of quantise and dequantise.
#include "dialects/kernel/BodyBuilder.h"
#include "dialects/kimi/Kimi.h"

using namespace mlir;
using namespace kimi::model;
using kimi::kernel::BodyBuilder;

namespace {

using Values = FailureOr<SmallVector<Value>>;

constexpr double kLargestCode = 448; // of e4m3
constexpr double kSmallestMaximum = 1e-4; // a block of zeros has a scale, too

/// max |x| of every block [T, B]; what lies beyond the row counts as 0.
Value blockMaxima(BodyBuilder &body, Value x, int64_t block) {
  SmallVector<OpFoldResult> sizes = body.sizes(x);
  int64_t columns = cast<RankedTensorType>(x.getType()).getDimSize(1);
  OpFoldResult blocks = body.b.getIndexAttr((columns + block - 1) / block);
  Value window = body.empty({body.b.getIndexAttr(block)}, body.b.getF32Type()); // only its size is read
  Value init = body.filled({sizes[0], blocks}, body.f32(kSmallestMaximum));
  return body.generic({window}, {{2}}, init, {0, 1}, 3, [&](BodyBuilder &p, ValueRange v) -> Value {
    Value row = linalg::IndexOp::create(p.b, p.loc, 0), first = linalg::IndexOp::create(p.b, p.loc, 1);
    Value begin = arith::MulIOp::create(p.b, p.loc, first, p.index(block));
    Value column = arith::AddIOp::create(p.b, p.loc, begin, linalg::IndexOp::create(p.b, p.loc, 2));
    Value last = p.index(columns - 1);
    Value inside = arith::MinUIOp::create(p.b, p.loc, column, last); // beyond the row, its last value again
    Value value = p.widen(tensor::ExtractOp::create(p.b, p.loc, x, ValueRange{row, inside}));
    return arith::MaximumFOp::create(p.b, p.loc, math::AbsFOp::create(p.b, p.loc, value), v[1]);
  });
}

} // namespace

Values QuantiseOp::buildBody(OpBuilder &builder, ValueRange operands) {
  BodyBuilder body(builder, getLoc());
  Value x = operands[0], maxima = blockMaxima(body, x, getBlockColumns());
  Value scales = body.elementwise({maxima}, body.empty(body.sizes(maxima), builder.getF32Type()),
                                  [](BodyBuilder &p, ValueRange v) -> Value {
                                    return arith::DivFOp::create(p.b, p.loc, v[0], p.f32(kLargestCode));
                                  });
  Type code = cast<RankedTensorType>(getCodes().getType()).getElementType();
  Value init = body.empty(body.sizes(x), code);
  AffineExpr row = builder.getAffineDimExpr(0), column = builder.getAffineDimExpr(1);
  auto map = [&](ArrayRef<AffineExpr> exprs) { return AffineMap::get(2, 0, exprs, getContext()); };
  SmallVector<AffineMap> maps = {map({row, column}), map({row, column.floorDiv(getBlockColumns())}), map({row, column})};
  SmallVector<utils::IteratorType> iterators(2, utils::IteratorType::parallel);
  auto codes = linalg::GenericOp::create(
      builder, getLoc(), TypeRange(init.getType()), ValueRange{x, scales}, ValueRange(init), maps, iterators,
      [&](OpBuilder &nested, Location loc, ValueRange v) {
        BodyBuilder p(nested, loc);
        Value scaled = arith::DivFOp::create(nested, loc, p.widen(v[0]), v[1]);
        linalg::YieldOp::create(nested, loc, arith::TruncFOp::create(nested, loc, code, scaled).getResult());
      });
  return SmallVector<Value>{codes.getResult(0), scales};
}

Values DequantiseOp::buildBody(OpBuilder &builder, ValueRange operands) {
  auto op = kimi::kernel::DequantiseOp::create(builder, getLoc(), getResult().getType(), operands[0], operands[1],
                                               getBlockRowsAttr(), getBlockColumnsAttr(), /*panels=*/UnitAttr());
  return SmallVector<Value>{op.getResult()};
}
