// Bodies of routing and the experts.
#include "dialects/kernel/BodyBuilder.h"
#include "dialects/kimi/Kimi.h"

using namespace mlir;
using namespace kimi::model;
using kimi::kernel::BodyBuilder;

namespace {

using Values = FailureOr<SmallVector<Value>>;

Value sigmoid(BodyBuilder &p, Value x) {
  Value exponential = math::ExpOp::create(p.b, p.loc, arith::NegFOp::create(p.b, p.loc, x));
  return arith::DivFOp::create(p.b, p.loc, p.f32(1), arith::AddFOp::create(p.b, p.loc, exponential, p.f32(1)));
}

} // namespace

Values RouteExpertsOp::buildBody(OpBuilder &builder, ValueRange operands) {
  BodyBuilder body(builder, getLoc());
  Value logits = operands[0], bias = operands[1];
  Value biased = body.generic({logits, bias}, {{0, 1}, {1}}, body.empty(body.sizes(logits), builder.getF32Type()),
                              {0, 1}, 2, [](BodyBuilder &p, ValueRange v) -> Value {
                                return arith::AddFOp::create(p.b, p.loc, sigmoid(p, v[0]), p.widen(v[1]));
                              });
  OpFoldResult tokens = body.sizes(logits)[0];
  int64_t k = cast<RankedTensorType>(getIds().getType()).getDimSize(1);
  SmallVector<OpFoldResult> choices = {tokens, builder.getIndexAttr(k)};
  Value init = body.empty(choices, builder.getI32Type());
  Value ids = kernel::GroupTopKOp::create(builder, getLoc(), init.getType(), biased, getGroupsAttr(),
                                          getKeptGroupsAttr(), init);

  // The scores are computed again from the logits: the same function of the same bits, and no second tensor.
  Value scores = body.generic({ids}, {{0, 1}}, body.empty(choices, builder.getF32Type()), {0, 1}, 2,
                              [&](BodyBuilder &p, ValueRange v) -> Value {
                                Value token = linalg::IndexOp::create(p.b, p.loc, 0);
                                Value expert = p.toIndex(v[0]);
                                return sigmoid(p, tensor::ExtractOp::create(p.b, p.loc, logits,
                                                                            ValueRange{token, expert}));
                              });
  Value sum = body.generic({scores}, {{0, 1}}, body.filled({tokens}, body.f32(0)), {0}, 2,
                           [](BodyBuilder &p, ValueRange v) -> Value {
                             return arith::AddFOp::create(p.b, p.loc, v[0], v[1]);
                           });
  double scaling = getScaling().convertToDouble();
  bool normalise = getNormalise();
  Value weights = body.generic({scores, sum}, {{0, 1}, {0}}, body.empty(choices, builder.getF32Type()),
                               {0, 1}, 2, [&](BodyBuilder &p, ValueRange v) -> Value {
                                 Value weight = v[0];
                                 if (normalise) {
                                   Value safe = arith::AddFOp::create(p.b, p.loc, v[1], p.f32(1e-20));
                                   weight = arith::DivFOp::create(p.b, p.loc, weight, safe);
                                 }
                                 return arith::MulFOp::create(p.b, p.loc, weight, p.f32(scaling));
                               });
  return SmallVector<Value>{ids, weights};
}

Values DispatchOp::buildBody(OpBuilder &builder, ValueRange operands) {
  auto op = kernel::SortByGroupOp::create(builder, getLoc(), getResultTypes(), operands[0]);
  return SmallVector<Value>(op.getResults());
}

Values ExpertLinearOp::buildBody(OpBuilder &builder, ValueRange operands) {
  BodyBuilder body(builder, getLoc());
  Value x = operands.front(), weight = operands.back(), offsets = operands[operands.size() - 2];
  Value rows = getRows() ? operands[1] : Value();
  OpFoldResult numRows = body.sizes(rows ? rows : x)[0];
  Value init = body.filled({numRows, body.sizes(weight)[1]}, body.f32(0));
  auto op = kernel::GroupedMatmulOp::create(builder, getLoc(), init.getType(), x, rows, body.index(0), offsets, weight,
                                            init);
  return SmallVector<Value>{op.getResult()};
}

/// Loops: token, column, choice; choices are added in the token's own order.
Values CombineOp::buildBody(OpBuilder &builder, ValueRange operands) {
  BodyBuilder body(builder, getLoc());
  Value x = operands[0], slots = operands[1], weights = operands[2];
  Value init = body.filled({body.sizes(slots)[0], body.sizes(x)[1]}, body.f32(0));
  Value result = body.generic({slots, weights}, {{0, 2}, {0, 2}}, init, {0, 1}, 3,
                              [&](BodyBuilder &p, ValueRange v) -> Value {
                                Value column = linalg::IndexOp::create(p.b, p.loc, 1);
                                Value row = p.toIndex(v[0]);
                                Value value = p.widen(
                                    tensor::ExtractOp::create(p.b, p.loc, x, ValueRange{row, column}));
                                return math::FmaOp::create(p.b, p.loc, v[1], value, v[2]);
                              });
  return SmallVector<Value>{result};
}
