// Bodies of the dense operations, in linalg. Every sum runs in f32 over one fixed order.
#include "dialects/kernel/BodyBuilder.h"
#include "dialects/kimi/Kimi.h"

using namespace mlir;
using namespace kimi::model;
using kimi::kernel::BodyBuilder;

namespace {

using Values = FailureOr<SmallVector<Value>>;

Type elementOf(Value value) { return cast<ShapedType>(value.getType()).getElementType(); }
int64_t lastSize(Value value) { return cast<ShapedType>(value.getType()).getShape().back(); }

/// result[r, c] = source[rows[r], c], rows picked by an index tensor; `element` is source's, or f32.
Value lookUpRows(BodyBuilder &body, Value source, Value rows, Type element) {
  Value init = body.empty({body.sizes(rows)[0], body.sizes(source)[1]}, element);
  return body.generic({rows}, {{0}}, init, {0, 1}, 2, [&](BodyBuilder &p, ValueRange v) -> Value {
    Value column = linalg::IndexOp::create(p.b, p.loc, 1);
    Value found = tensor::ExtractOp::create(p.b, p.loc, source, ValueRange{p.toIndex(v[0]), column});
    return element == elementOf(source) ? found : p.widen(found);
  });
}

Value multiplyAdd(BodyBuilder &p, ValueRange v) {
  return math::FmaOp::create(p.b, p.loc, p.widen(v[0]), p.widen(v[1]), v[2]);
}

} // namespace

Values DequantiseOp::buildBody(OpBuilder &builder, ValueRange operands) {
  auto op = kimi::kernel::DequantiseOp::create(builder, getLoc(), getResult().getType(), operands[0], operands[1],
                                               getBlockRowsAttr(), getBlockColumnsAttr(), /*panels=*/UnitAttr());
  return SmallVector<Value>{op.getResult()};
}

Values EmbeddingOp::buildBody(OpBuilder &builder, ValueRange operands) {
  BodyBuilder body(builder, getLoc());
  return SmallVector<Value>{lookUpRows(body, operands[1], operands[0], elementOf(getResult()))};
}

Values GatherRowsOp::buildBody(OpBuilder &builder, ValueRange operands) {
  BodyBuilder body(builder, getLoc());
  return SmallVector<Value>{lookUpRows(body, operands[0], operands[1], elementOf(getResult()))};
}

Values RmsNormOp::buildBody(OpBuilder &builder, ValueRange operands) {
  BodyBuilder body(builder, getLoc());
  Value x = operands[0], weight = operands[1];
  unsigned rank = cast<RankedTensorType>(x.getType()).getRank();
  auto all = llvm::to_vector(llvm::seq<unsigned>(0, rank));
  SmallVector<unsigned> rows(all.begin(), all.end() - 1);
  SmallVector<OpFoldResult> sizes = body.sizes(x), rowSizes(sizes.begin(), sizes.end() - 1);
  double eps = getEps().convertToDouble();
  int64_t width = lastSize(x);

  Value squares = body.generic({x}, {all}, body.filled(rowSizes, body.f32(0)), rows, rank,
                               [](BodyBuilder &p, ValueRange v) -> Value {
                                 Value value = p.widen(v[0]);
                                 return math::FmaOp::create(p.b, p.loc, value, value, v[1]);
                               });
  Value inverse = body.elementwise({squares}, body.empty(rowSizes, builder.getF32Type()),
                                   [&](BodyBuilder &p, ValueRange v) -> Value {
                                     Value mean = arith::DivFOp::create(p.b, p.loc, v[0], p.f32(width));
                                     Value shifted = arith::AddFOp::create(p.b, p.loc, mean, p.f32(eps));
                                     Value root = math::SqrtOp::create(p.b, p.loc, shifted);
                                     return arith::DivFOp::create(p.b, p.loc, p.f32(1), root);
                                   });
  Value result = body.generic({x, inverse, weight}, {all, rows, {rank - 1}}, body.empty(sizes, builder.getF32Type()),
                              all, rank, [](BodyBuilder &p, ValueRange v) -> Value {
                                Value normed = arith::MulFOp::create(p.b, p.loc, p.widen(v[0]), v[1]);
                                return arith::MulFOp::create(p.b, p.loc, normed, p.widen(v[2]));
                              });
  return SmallVector<Value>{result};
}

Values LinearOp::buildBody(OpBuilder &builder, ValueRange operands) {
  BodyBuilder body(builder, getLoc());
  Value init = body.filled({body.sizes(operands[0])[0], body.sizes(operands[1])[0]}, body.f32(0));
  return SmallVector<Value>{body.generic(operands, {{0, 2}, {1, 2}}, init, {0, 1}, 3, multiplyAdd)};
}

Values RoundOp::buildBody(OpBuilder &builder, ValueRange operands) {
  BodyBuilder body(builder, getLoc());
  Type narrow = elementOf(getResult());
  Value init = body.empty(body.sizes(operands[0]), narrow);
  return SmallVector<Value>{body.elementwise(operands, init, [&](BodyBuilder &p, ValueRange v) -> Value {
    return arith::TruncFOp::create(p.b, p.loc, narrow, v[0]);
  })};
}

Values AddOp::buildBody(OpBuilder &builder, ValueRange operands) {
  BodyBuilder body(builder, getLoc());
  Value init = body.empty(body.sizes(operands[0]), builder.getF32Type());
  return SmallVector<Value>{body.elementwise(operands, init, [](BodyBuilder &p, ValueRange v) -> Value {
    return arith::AddFOp::create(p.b, p.loc, p.widen(v[0]), p.widen(v[1]));
  })};
}

Values SwigluOp::buildBody(OpBuilder &builder, ValueRange operands) {
  BodyBuilder body(builder, getLoc());
  Value init = body.empty(body.sizes(operands[0]), builder.getF32Type());
  return SmallVector<Value>{body.elementwise(operands, init, [](BodyBuilder &p, ValueRange v) -> Value {
    Value gate = p.widen(v[0]), up = p.widen(v[1]);
    Value exponential = math::ExpOp::create(p.b, p.loc, arith::NegFOp::create(p.b, p.loc, gate));
    Value below = arith::AddFOp::create(p.b, p.loc, exponential, p.f32(1));
    Value silu = arith::DivFOp::create(p.b, p.loc, gate, below);
    return arith::MulFOp::create(p.b, p.loc, silu, up);
  })};
}
