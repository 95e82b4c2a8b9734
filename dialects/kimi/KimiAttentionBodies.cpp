// Bodies of rope, the cache, and latent attention.
#include "dialects/kernel/BodyBuilder.h"
#include "dialects/kimi/Kimi.h"

using namespace mlir;
using namespace kimi::model;
using kimi::kernel::BodyBuilder;

namespace {

using Values = FailureOr<SmallVector<Value>>;

Value multiplyAdd(BodyBuilder &p, ValueRange v) {
  return math::FmaOp::create(p.b, p.loc, p.widen(v[0]), p.widen(v[1]), v[2]);
}

} // namespace

/// Even columns take a c - b s, odd ones b c + a s: x times cos plus the pair's other value times (+ or -) sin.
Values RopeOp::buildBody(OpBuilder &builder, ValueRange operands) {
  BodyBuilder body(builder, getLoc());
  Value x = operands[0], positions = operands[1], table = operands[2];
  unsigned rank = cast<RankedTensorType>(x.getType()).getRank();
  auto all = llvm::to_vector(llvm::seq<unsigned>(0, rank));
  Value init = body.empty(body.sizes(x), builder.getF32Type());
  Value result = body.generic({x, positions}, {all, {0}}, init, all, rank, [&](BodyBuilder &p, ValueRange v) -> Value {
    SmallVector<Value> other;
    for (unsigned loop : all)
      other.push_back(linalg::IndexOp::create(p.b, p.loc, loop));
    Value column = other.back(), one = p.index(1);
    other.back() = arith::XOrIOp::create(p.b, p.loc, column, one);
    Value pair = arith::ShRUIOp::create(p.b, p.loc, column, one);
    Value position = p.toIndex(v[1]);
    Value cos = tensor::ExtractOp::create(p.b, p.loc, table, ValueRange{position, p.index(0), pair});
    Value sin = tensor::ExtractOp::create(p.b, p.loc, table, ValueRange{position, one, pair});
    Value partner = p.widen(tensor::ExtractOp::create(p.b, p.loc, x, other));
    Value odd = arith::CmpIOp::create(p.b, p.loc, arith::CmpIPredicate::ugt, column, other.back());
    Value signedSin = arith::SelectOp::create(p.b, p.loc, odd, sin, arith::NegFOp::create(p.b, p.loc, sin));
    Value turned = arith::MulFOp::create(p.b, p.loc, partner, signedSin);
    return math::FmaOp::create(p.b, p.loc, p.widen(v[0]), cos, turned);
  });
  return SmallVector<Value>{result};
}

Values CacheWriteOp::buildBody(OpBuilder &builder, ValueRange operands) {
  kernel::PagedScatterOp::create(builder, getLoc(), operands[0], operands[1], operands.drop_front(2));
  return SmallVector<Value>{};
}

Values AbsorbQueryOp::buildBody(OpBuilder &builder, ValueRange operands) {
  BodyBuilder body(builder, getLoc());
  SmallVector<OpFoldResult> query = body.sizes(operands[0]), weight = body.sizes(operands[1]);
  Value init = body.filled({query[0], query[1], weight[2]}, body.f32(0));
  // loops: token, head, latent, inner
  return SmallVector<Value>{body.generic(operands, {{0, 1, 3}, {1, 3, 2}}, init, {0, 1, 2}, 4, multiplyAdd)};
}

Values ExpandValueOp::buildBody(OpBuilder &builder, ValueRange operands) {
  BodyBuilder body(builder, getLoc());
  SmallVector<OpFoldResult> latent = body.sizes(operands[0]), weight = body.sizes(operands[1]);
  Value init = body.filled({latent[0], latent[1], weight[1]}, body.f32(0));
  // loops: token, head, value, latent
  return SmallVector<Value>{body.generic(operands, {{0, 1, 3}, {1, 2, 3}}, init, {0, 1, 2}, 4, multiplyAdd)};
}

Values PagedAttentionOp::buildBody(OpBuilder &builder, ValueRange operands) {
  auto op = kernel::PagedAttentionOp::create(builder, getLoc(), getResult().getType(), operands[0], operands[1],
                                             operands[2], operands[3], operands[4], operands[5], getScaleAttr());
  return SmallVector<Value>{op.getResult()};
}

/// operands: query, query_rope, key_weight, value_weight, cache, positions, sequences, offsets, tables
Values LatentAttentionOp::buildBody(OpBuilder &builder, ValueRange operands) {
  if (getForm() != AttentionForm::expanded)
    return emitOpError() << "has no body of its own in the absorbed form: run kimi-absorb-attention first";
  auto op = kernel::PagedAttentionExpandedOp::create(
      builder, getLoc(), getResult().getType(), operands[0], operands[1], operands[2],
      operands[3], operands[4], operands[5], operands[7], operands[8], getScaleAttr());
  return SmallVector<Value>{op.getResult()};
}
