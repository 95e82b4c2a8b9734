// Loops of the routing operations: grouped matrix products, top-k, and the sort by group.
#include "dialects/kernel/BodyBuilder.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"

using namespace mlir;
using namespace kimi::kernel;

namespace {

constexpr int64_t kRowsPerBlock = 8; // rows of one expert multiplied together while its weights are at hand

Value extractI32(BodyBuilder &body, Value tensor, ValueRange indices) {
  return body.toIndex(tensor::ExtractOp::create(body.b, body.loc, tensor, indices));
}

Value clampTo(BodyBuilder &body, Value value, Value low, Value high) {
  Value atLeast = arith::MaxSIOp::create(body.b, body.loc, value, low);
  return arith::MinSIOp::create(body.b, body.loc, atLeast, high);
}

/// source[rows[i], :] for i in [row, row + count).
Value gatherRows(BodyBuilder &body, Value source, Value rows, Value row, OpFoldResult count) {
  auto type = cast<RankedTensorType>(source.getType());
  Value init = body.empty({count, body.b.getIndexAttr(type.getDimSize(1))}, type.getElementType());
  Value part = tensor::ExtractSliceOp::create(body.b, body.loc, rows, ArrayRef<OpFoldResult>{row},
                                              ArrayRef<OpFoldResult>{count},
                                              ArrayRef<OpFoldResult>{body.b.getIndexAttr(1)});
  return body.generic({part}, {{0}}, init, {0, 1}, 2, [&](BodyBuilder &p, ValueRange v) -> Value {
    Value column = linalg::IndexOp::create(p.b, p.loc, 1);
    return tensor::ExtractOp::create(p.b, p.loc, source, ValueRange{p.toIndex(v[0]), column});
  });
}

/// x's rows for result rows [row, row + count): gathered through `rows`, or the slice itself.
Value inputRows(BodyBuilder &body, GroupedMatmulOp op, Value row, OpFoldResult count) {
  auto type = cast<RankedTensorType>(op.getX().getType());
  OpFoldResult width = body.b.getIndexAttr(type.getDimSize(1));
  SmallVector<OpFoldResult> strides(2, body.b.getIndexAttr(1));
  if (!op.getRows())
    return tensor::ExtractSliceOp::create(body.b, body.loc, op.getX(),
                                          ArrayRef<OpFoldResult>{row, body.b.getIndexAttr(0)},
                                          ArrayRef<OpFoldResult>{count, width}, strides);
  auto values = op.getX().getDefiningOp<DequantiseOp>();
  if (!values)
    return gatherRows(body, op.getX(), op.getRows(), row, count);
  // Quantised rows are gathered as they are: codes, and the scales of each row.
  Value codes = gatherRows(body, values.getCodes(), op.getRows(), row, count);
  Value scales = gatherRows(body, values.getScales(), op.getRows(), row, count);
  auto gathered = RankedTensorType::get(cast<RankedTensorType>(codes.getType()).getShape(), type.getElementType());
  return DequantiseOp::create(body.b, body.loc, gathered, codes, scales, values.getBlockRowsAttr(),
                              values.getBlockColumnsAttr(), values.getPanelsAttr());
}

/// init + rows times the transpose of one group's weights, in either layout.
Value multiplyRows(BodyBuilder &body, bool panel, Value rows, Value weight, Value init) {
  auto payload = [](BodyBuilder &p, ValueRange v) -> Value {
    return math::FmaOp::create(p.b, p.loc, p.widen(v[0]), p.widen(v[1]), v[2]);
  };
  if (panel) // loops: row, panel, lane, k
    return body.generic({rows, weight}, {{0, 3}, {1, 3, 2}}, init, {0, 1, 2}, 4, payload);
  return body.generic({rows, weight}, {{0, 2}, {1, 2}}, init, {0, 1}, 3, payload);
}

} // namespace

FailureOr<SmallVector<Value>> GroupedMatmulOp::buildLoops(OpBuilder &builder) {
  BodyBuilder body(builder, getLoc());
  Value numRows = body.dim(getInit(), 0), zero = body.index(0);
  int64_t groups = cast<RankedTensorType>(getWeight().getType()).getDimSize(0);
  auto groupLoop = scf::ForOp::create(
      builder, getLoc(), zero, body.index(groups), body.index(1), getInit(),
      [&](OpBuilder &nested, Location loc, Value group, ValueRange state) {
        BodyBuilder inner(nested, loc);
        auto boundary = [&](Value index) {
          Value row = arith::SubIOp::create(nested, loc, extractI32(inner, getOffsets(), index), getFirstRow());
          return clampTo(inner, row, zero, numRows);
        };
        Value begin = boundary(group), end = boundary(arith::AddIOp::create(nested, loc, group, inner.index(1)));
        Value weight = inner.row(getWeight(), {group});
        auto rowLoop = scf::ForOp::create(
            nested, loc, begin, end, inner.index(kRowsPerBlock), state,
            [&](OpBuilder &deep, Location deepLoc, Value row, ValueRange out) {
              BodyBuilder block(deep, deepLoc);
              AffineExpr d0, d1;
              bindDims(deep.getContext(), d0, d1);
              auto map = AffineMap::get(2, 0, {d1 - d0, getAffineConstantExpr(kRowsPerBlock, deep.getContext())},
                                        deep.getContext());
              OpFoldResult count =
                  affine::AffineMinOp::create(deep, deepLoc, map, ValueRange{row, end}).getResult();
              SmallVector<OpFoldResult> sizes = block.sizes(out[0]);
              SmallVector<OpFoldResult> offsets(sizes.size(), deep.getIndexAttr(0)),
                  strides(sizes.size(), deep.getIndexAttr(1));
              sizes[0] = count;
              offsets[0] = row;
              Value part = tensor::ExtractSliceOp::create(deep, deepLoc, out[0], offsets, sizes, strides);
              part = multiplyRows(block, isPanel(), inputRows(block, *this, row, count), weight, part);
              Value whole = tensor::InsertSliceOp::create(deep, deepLoc, part, out[0], offsets, sizes, strides);
              scf::YieldOp::create(deep, deepLoc, whole);
            });
        scf::YieldOp::create(nested, loc, rowLoop.getResults());
      });
  return SmallVector<Value>{groupLoop.getResult(0)};
}

namespace {

/// Column and value of the largest of a row; the lowest column among equals.
std::pair<Value, Value> argmax(BodyBuilder &body, Value row, int64_t size) {
  SmallVector<Value> first = {body.f32(-std::numeric_limits<double>::infinity()), body.index(0)};
  auto loop = scf::ForOp::create(body.b, body.loc, body.index(0), body.index(size), body.index(1), first,
                                 [&](OpBuilder &nested, Location loc, Value column, ValueRange best) {
                                   Value value = tensor::ExtractOp::create(nested, loc, row, column);
                                   Value better = arith::CmpFOp::create(nested, loc, arith::CmpFPredicate::OGT, value,
                                                                        best[0]);
                                   Value newValue = arith::SelectOp::create(nested, loc, better, value, best[0]);
                                   Value newColumn = arith::SelectOp::create(nested, loc, better, column, best[1]);
                                   scf::YieldOp::create(nested, loc, ValueRange{newValue, newColumn});
                                 });
  return {loop.getResult(1), loop.getResult(0)};
}

/// Sum of the two largest of scores[begin, begin + size).
Value topTwoSum(BodyBuilder &body, Value scores, Value begin, int64_t size) {
  Value low = body.f32(-std::numeric_limits<double>::infinity());
  auto loop = scf::ForOp::create(
      body.b, body.loc, body.index(0), body.index(size), body.index(1), ValueRange{low, low},
      [&](OpBuilder &nested, Location loc, Value offset, ValueRange top) {
        Value column = arith::AddIOp::create(nested, loc, begin, offset);
        Value value = tensor::ExtractOp::create(nested, loc, scores, column);
        Value smaller = arith::MinimumFOp::create(nested, loc, value, top[0]);
        Value first = arith::MaximumFOp::create(nested, loc, value, top[0]);
        Value second = arith::MaximumFOp::create(nested, loc, smaller, top[1]);
        scf::YieldOp::create(nested, loc, ValueRange{first, second});
      });
  if (size == 1)
    return loop.getResult(0);
  return arith::AddFOp::create(body.b, body.loc, loop.getResult(0), loop.getResult(1));
}

/// The row with all but the `kept` best groups set to minus infinity.
Value maskGroups(BodyBuilder &body, Value scores, int64_t experts, int64_t groups, int64_t kept) {
  int64_t size = experts / groups;
  Type f32 = body.b.getF32Type();
  Value sums = body.empty({body.b.getIndexAttr(groups)}, f32);
  auto sumLoop = scf::ForOp::create(body.b, body.loc, body.index(0), body.index(groups), body.index(1), sums,
                                    [&](OpBuilder &nested, Location loc, Value group, ValueRange state) {
                                      BodyBuilder inner(nested, loc);
                                      Value begin = arith::MulIOp::create(nested, loc, group, inner.index(size));
                                      Value sum = topTwoSum(inner, scores, begin, size);
                                      Value next = tensor::InsertOp::create(nested, loc, sum, state[0], group);
                                      scf::YieldOp::create(nested, loc, next);
                                    });
  double lowest = -std::numeric_limits<double>::infinity();
  Value masked = body.filled({body.b.getIndexAttr(experts)}, body.f32(lowest));
  SmallVector<Value> state = {sumLoop.getResult(0), masked};
  auto keepLoop = scf::ForOp::create(
      body.b, body.loc, body.index(0), body.index(kept), body.index(1), state,
      [&](OpBuilder &nested, Location loc, Value, ValueRange now) {
        BodyBuilder inner(nested, loc);
        Value group = argmax(inner, now[0], groups).first;
        Value begin = arith::MulIOp::create(nested, loc, group, inner.index(size));
        auto copy = scf::ForOp::create(nested, loc, inner.index(0), inner.index(size), inner.index(1), now[1],
                                       [&](OpBuilder &deep, Location deepLoc, Value offset, ValueRange row) {
                                         Value column = arith::AddIOp::create(deep, deepLoc, begin, offset);
                                         Value value = tensor::ExtractOp::create(deep, deepLoc, scores, column);
                                         Value next = tensor::InsertOp::create(deep, deepLoc, value, row[0], column);
                                         scf::YieldOp::create(deep, deepLoc, next);
                                       });
        Value gone = inner.f32(-std::numeric_limits<double>::infinity());
        Value sums = tensor::InsertOp::create(nested, loc, gone, now[0], group);
        scf::YieldOp::create(nested, loc, ValueRange{sums, copy.getResult(0)});
      });
  return keepLoop.getResult(1);
}

} // namespace

FailureOr<SmallVector<Value>> GroupTopKOp::buildLoops(OpBuilder &builder) {
  BodyBuilder body(builder, getLoc());
  auto type = cast<RankedTensorType>(getResult().getType());
  int64_t experts = cast<RankedTensorType>(getScores().getType()).getDimSize(1), k = type.getDimSize(1);
  auto rowLoop = scf::ForOp::create(
      builder, getLoc(), body.index(0), body.dim(getScores(), 0), body.index(1), getInit(),
      [&](OpBuilder &nested, Location loc, Value token, ValueRange state) {
        BodyBuilder inner(nested, loc);
        Value source = inner.row(getScores(), {token});
        Value row = getGroups() > 1 ? maskGroups(inner, source, experts, getGroups(), getKeptGroups())
                                    : inner.elementwise({source}, inner.empty(inner.sizes(source), inner.b.getF32Type()),
                                                        [](BodyBuilder &, ValueRange v) { return v[0]; });
        SmallVector<Value> first = {state[0], row};
        auto pick = scf::ForOp::create(
            nested, loc, inner.index(0), inner.index(k), inner.index(1), first,
            [&](OpBuilder &deep, Location deepLoc, Value rank, ValueRange now) {
              BodyBuilder pickBody(deep, deepLoc);
              Value column = argmax(pickBody, now[1], experts).first;
              Value ids = tensor::InsertOp::create(deep, deepLoc, pickBody.toI32(column), now[0],
                                                   ValueRange{token, rank});
              Value gone = pickBody.f32(-std::numeric_limits<double>::infinity());
              Value rest = tensor::InsertOp::create(deep, deepLoc, gone, now[1], column);
              scf::YieldOp::create(deep, deepLoc, ValueRange{ids, rest});
            });
        scf::YieldOp::create(nested, loc, pick.getResult(0));
      });
  return SmallVector<Value>{rowLoop.getResult(0)};
}

namespace {

/// offsets[e] = number of pairs of lower groups; offsets[groups] = number of pairs.
Value countGroups(BodyBuilder &body, Value ids, Value numTokens, int64_t k, int64_t groups, Value offsets) {
  Value zero = body.i32(0);
  Value cleared = linalg::FillOp::create(body.b, body.loc, zero, offsets).getResult(0);
  auto count = scf::ForOp::create(
      body.b, body.loc, body.index(0), numTokens, body.index(1), cleared,
      [&](OpBuilder &nested, Location loc, Value token, ValueRange state) {
        BodyBuilder inner(nested, loc);
        auto choices = scf::ForOp::create(
            nested, loc, inner.index(0), inner.index(k), inner.index(1), state,
            [&](OpBuilder &deep, Location deepLoc, Value choice, ValueRange now) {
              BodyBuilder pick(deep, deepLoc);
              Value group = extractI32(pick, ids, {token, choice});
              Value next = arith::AddIOp::create(deep, deepLoc, group, pick.index(1));
              Value old = tensor::ExtractOp::create(deep, deepLoc, now[0], next);
              Value more = arith::AddIOp::create(deep, deepLoc, old, pick.i32(1));
              Value written = tensor::InsertOp::create(deep, deepLoc, more, now[0], next);
              scf::YieldOp::create(deep, deepLoc, written);
            });
        scf::YieldOp::create(nested, loc, choices.getResults());
      });
  auto prefix = scf::ForOp::create(body.b, body.loc, body.index(0), body.index(groups), body.index(1),
                                   count.getResult(0), [&](OpBuilder &nested, Location loc, Value group, ValueRange now) {
                                     BodyBuilder inner(nested, loc);
                                     Value next = arith::AddIOp::create(nested, loc, group, inner.index(1));
                                     Value before = tensor::ExtractOp::create(nested, loc, now[0], group);
                                     Value own = tensor::ExtractOp::create(nested, loc, now[0], next);
                                     Value sum = arith::AddIOp::create(nested, loc, before, own);
                                     Value written = tensor::InsertOp::create(nested, loc, sum, now[0], next);
                                     scf::YieldOp::create(nested, loc, written);
                                   });
  return prefix.getResult(0);
}

/// Puts every pair at its group's next free place. Returns rows and slots.
std::pair<Value, Value> placePairs(BodyBuilder &body, Value ids, Value numTokens, int64_t k, int64_t groups,
                                   Value offsets, Value rows, Value slots) {
  Value cursors = body.empty({body.b.getIndexAttr(groups)}, body.b.getI32Type());
  Value starts = tensor::ExtractSliceOp::create(
      body.b, body.loc, offsets, ArrayRef<OpFoldResult>{body.b.getIndexAttr(0)},
      ArrayRef<OpFoldResult>{body.b.getIndexAttr(groups)}, ArrayRef<OpFoldResult>{body.b.getIndexAttr(1)});
  cursors = body.elementwise({starts}, cursors, [](BodyBuilder &, ValueRange v) { return v[0]; });
  SmallVector<Value> first = {rows, slots, cursors};
  auto tokens = scf::ForOp::create(
      body.b, body.loc, body.index(0), numTokens, body.index(1), first,
      [&](OpBuilder &nested, Location loc, Value token, ValueRange state) {
        BodyBuilder inner(nested, loc);
        auto choices = scf::ForOp::create(
            nested, loc, inner.index(0), inner.index(k), inner.index(1), state,
            [&](OpBuilder &deep, Location deepLoc, Value choice, ValueRange now) {
              BodyBuilder pick(deep, deepLoc);
              Value group = extractI32(pick, ids, {token, choice});
              Value place = tensor::ExtractOp::create(deep, deepLoc, now[2], group);
              Value newRows = tensor::InsertOp::create(deep, deepLoc, pick.toI32(token), now[0], pick.toIndex(place));
              Value newSlots = tensor::InsertOp::create(deep, deepLoc, place, now[1], ValueRange{token, choice});
              Value next = arith::AddIOp::create(deep, deepLoc, place, pick.i32(1));
              Value newCursors = tensor::InsertOp::create(deep, deepLoc, next, now[2], group);
              scf::YieldOp::create(deep, deepLoc, ValueRange{newRows, newSlots, newCursors});
            });
        scf::YieldOp::create(nested, loc, choices.getResults());
      });
  return {tokens.getResult(0), tokens.getResult(1)};
}

} // namespace

FailureOr<SmallVector<Value>> SortByGroupOp::buildLoops(OpBuilder &builder) {
  BodyBuilder body(builder, getLoc());
  int64_t k = cast<RankedTensorType>(getIds().getType()).getDimSize(1);
  int64_t groups = cast<RankedTensorType>(getOffsets().getType()).getDimSize(0) - 1;
  Value numTokens = body.dim(getIds(), 0);
  Value numPairs = arith::MulIOp::create(builder, getLoc(), numTokens, body.index(k));
  Type i32 = builder.getI32Type();
  // One task: a stable sort is sequential, and small beside the products it orders.
  Value offsets = body.empty({builder.getIndexAttr(groups + 1)}, i32);
  offsets = countGroups(body, getIds(), numTokens, k, groups, offsets);
  auto [rows, slots] = placePairs(body, getIds(), numTokens, k, groups, offsets, body.empty({numPairs}, i32),
                                  body.empty(body.sizes(getIds()), i32));
  return SmallVector<Value>{rows, slots, offsets};
}
