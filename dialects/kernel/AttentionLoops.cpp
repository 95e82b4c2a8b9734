// Loops of the paged attention operations and of the cache write. One task of the grid is one token and a few heads
// (absorbed), one sequence and head (expanded), or one token (write).
#include "dialects/kernel/BodyBuilder.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"

using namespace mlir;
using namespace kimi::kernel;

namespace {

constexpr int64_t kHeadsPerTask = 8;     // of a kernel without an implementation; select writes it into the tile
constexpr int64_t kQueriesPerBlock = 16; // expanded form: queries that share one expanded block
constexpr double kNoScore = -1e30;       // below every score; finite, so that differences stay numbers

/// Heads of one task: they share each cached row while it is near.
int64_t headsPerTask(PagedAttentionOp op) {
  auto func = op->getParentOfType<FuncOp>();
  auto impl = func ? func.getImplAttr() : ImplAttr();
  auto tile = impl ? impl.getParameters().getAs<DenseI64ArrayAttr>("tile") : DenseI64ArrayAttr();
  int64_t heads = cast<RankedTensorType>(op.getQuery().getType()).getDimSize(1);
  return largestDivisor(heads, tile && tile.size() == 2 ? tile[1] : kHeadsPerTask);
}

Value minWith(BodyBuilder &body, int64_t limit, Value begin, Value end) {
  AffineExpr d0, d1;
  bindDims(body.b.getContext(), d0, d1);
  auto map = AffineMap::get(2, 0, {d1 - d0, getAffineConstantExpr(limit, body.b.getContext())}, body.b.getContext());
  return affine::AffineMinOp::create(body.b, body.loc, map, ValueRange{begin, end});
}

/// Running state of an online softmax over [rows]: maximum, sum of exponentials, and the weighted sum [rows, width].
struct Softmax {
  Value maximum, sum, accumulator;
  SmallVector<Value> values() const { return {maximum, sum, accumulator}; }
  static Softmax from(ValueRange v) { return {v[0], v[1], v[2]}; }
};

Softmax emptySoftmax(BodyBuilder &body, OpFoldResult rows, OpFoldResult width) {
  return {body.filled({rows}, body.f32(kNoScore)), body.filled({rows}, body.f32(0)),
          body.filled({rows, width}, body.f32(0))};
}

Value multiplyAdd(BodyBuilder &p, Value a, Value b, Value sum) {
  return math::FmaOp::create(p.b, p.loc, p.widen(a), p.widen(b), sum);
}

/// Products of rows: result[i, j] = init[i, j] + sum over d of a[i, d] b[j, d].
Value rowProducts(BodyBuilder &body, Value a, Value b, Value init) {
  return body.generic({a, b}, {{0, 2}, {1, 2}}, init, {0, 1}, 3,
                      [](BodyBuilder &p, ValueRange v) { return multiplyAdd(p, v[0], v[1], v[2]); });
}

/// result[i, d] = init[i, d] + sum over j of a[i, j] b[j, d].
Value weightedRows(BodyBuilder &body, Value a, Value b, Value init) {
  return body.generic({a, b}, {{0, 2}, {2, 1}}, init, {0, 1}, 3,
                      [](BodyBuilder &p, ValueRange v) { return multiplyAdd(p, v[0], v[1], v[2]); });
}

/// Takes the scores [rows, n] and values [n, width] of one block into the running softmax. The state is updated in place:
/// the old maximum is read for the correction before the new one is written over it.
Softmax absorbBlock(BodyBuilder &body, Softmax state, OpFoldResult rows, Value scores, Value values) {
  Type f32 = body.b.getF32Type();
  auto larger = [](BodyBuilder &p, ValueRange v) -> Value {
    return arith::MaximumFOp::create(p.b, p.loc, v[0], v[1]);
  };
  auto expOfDifference = [](BodyBuilder &p, Value a, Value b) -> Value {
    return math::ExpOp::create(p.b, p.loc, arith::SubFOp::create(p.b, p.loc, a, b));
  };
  Value blockMaximum = body.generic({scores}, {{0, 1}}, body.filled({rows}, body.f32(kNoScore)), {0}, 2, larger);
  Value correction = body.generic({state.maximum, blockMaximum}, {{0}, {0}}, body.empty({rows}, f32), {0}, 1,
                                  [&](BodyBuilder &p, ValueRange v) { return expOfDifference(p, v[0], larger(p, v)); });
  Value maximum = body.generic({blockMaximum}, {{0}}, state.maximum, {0}, 1, larger);
  Value probabilities = body.generic({scores, maximum}, {{0, 1}, {0}}, body.empty(body.sizes(scores), f32), {0, 1}, 2,
                                     [&](BodyBuilder &p, ValueRange v) { return expOfDifference(p, v[0], v[1]); });
  auto scale = [](BodyBuilder &p, ValueRange v) -> Value { return arith::MulFOp::create(p.b, p.loc, v[1], v[0]); };
  Value sum = body.generic({correction}, {{0}}, state.sum, {0}, 1, scale);
  sum = body.generic({probabilities}, {{0, 1}}, sum, {0}, 2, [](BodyBuilder &p, ValueRange v) -> Value {
    return arith::AddFOp::create(p.b, p.loc, v[0], v[1]);
  });
  Value accumulator = body.generic({correction}, {{0}}, state.accumulator, {0, 1}, 2, scale);
  return {maximum, sum, weightedRows(body, probabilities, values, accumulator)};
}

Value divideBySum(BodyBuilder &body, Softmax state) {
  return body.generic({state.sum}, {{0}}, state.accumulator, {0, 1}, 2, [](BodyBuilder &p, ValueRange v) -> Value {
    return arith::DivFOp::create(p.b, p.loc, v[1], v[0]);
  });
}

/// A 2-D slice of a 3-D tensor: sizes[0] is 1.
Value slice2(BodyBuilder &body, Value source, ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult> sizes) {
  SmallVector<int64_t> shape;
  for (OpFoldResult size : sizes.drop_front())
    shape.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
  auto element = cast<RankedTensorType>(source.getType()).getElementType();
  SmallVector<OpFoldResult> strides(offsets.size(), body.b.getIndexAttr(1));
  return tensor::ExtractSliceOp::create(body.b, body.loc, RankedTensorType::get(shape, element), source, offsets,
                                        sizes, strides);
}

Value scaled(BodyBuilder &body, Value scores, double scale) {
  return body.elementwise({}, scores, [&](BodyBuilder &p, ValueRange v) -> Value {
    return arith::MulFOp::create(p.b, p.loc, v[0], p.f32(scale));
  });
}

scf::ForallOp createGrid(BodyBuilder &body, ArrayRef<OpFoldResult> bounds, ArrayRef<int64_t> steps, ValueRange outs) {
  SmallVector<OpFoldResult> lower(bounds.size(), body.b.getIndexAttr(0)), step;
  for (int64_t s : steps)
    step.push_back(body.b.getIndexAttr(s));
  return scf::ForallOp::create(body.b, body.loc, lower, bounds, step, outs, std::nullopt);
}

void insertInParallel(BodyBuilder &body, scf::ForallOp grid, Value part, Value whole, ArrayRef<OpFoldResult> offsets,
                      ArrayRef<OpFoldResult> sizes) {
  OpBuilder::InsertionGuard guard(body.b);
  SmallVector<OpFoldResult> strides(offsets.size(), body.b.getIndexAttr(1));
  body.b.setInsertionPointToEnd(grid.getTerminator().getBody());
  tensor::ParallelInsertSliceOp::create(body.b, body.loc, part, whole, offsets, sizes, strides);
}

} // namespace

FailureOr<SmallVector<Value>> PagedAttentionOp::buildLoops(OpBuilder &builder) {
  BodyBuilder body(builder, getLoc());
  auto query = cast<RankedTensorType>(getQuery().getType());
  int64_t heads = query.getDimSize(1), latent = query.getDimSize(2);
  int64_t rope = cast<RankedTensorType>(getQueryRope().getType()).getDimSize(2);
  int64_t group = headsPerTask(*this);
  OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
  auto attr = [&](int64_t value) -> OpFoldResult { return builder.getIndexAttr(value); };

  Value cache = bufferization::ToTensorOp::create(
      builder, getLoc(), memref::getTensorTypeFromMemRefType(getCache().getType()), getCache(), /*restrict=*/true);
  Value out = body.empty(body.sizes(getQuery()), builder.getF32Type());
  auto grid = createGrid(body, {body.sizes(getQuery())[0], attr(heads)}, {1, group}, out);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(grid.getTerminator());
    Value token = grid.getInductionVars()[0], head = grid.getInductionVars()[1];
    Value position = body.toIndex(tensor::ExtractOp::create(builder, getLoc(), getPositions(), token));
    Value sequence = body.toIndex(tensor::ExtractOp::create(builder, getLoc(), getSequences(), token));
    Value length = arith::AddIOp::create(builder, getLoc(), position, body.index(1));
    Value q = slice2(body, getQuery(), {token, head, zero}, {one, attr(group), attr(latent)});
    Value qRope = slice2(body, getQueryRope(), {token, head, zero}, {one, attr(group), attr(rope)});

    Softmax first = emptySoftmax(body, attr(group), attr(latent));
    auto loop = scf::ForOp::create(
        builder, getLoc(), body.index(0), length, body.index(kBlockTokens), first.values(),
        [&](OpBuilder &nested, Location loc, Value begin, ValueRange state) {
          BodyBuilder inner(nested, loc);
          Value column = arith::DivUIOp::create(nested, loc, begin, inner.index(kBlockTokens));
          Value block = inner.toIndex(tensor::ExtractOp::create(nested, loc, getTables(), ValueRange{sequence, column}));
          OpFoldResult count = minWith(inner, kBlockTokens, begin, length);
          Value latents = slice2(inner, cache, {block, zero, zero}, {one, count, attr(latent)});
          Value keys = slice2(inner, cache, {block, zero, attr(latent)}, {one, count, attr(rope)});
          Value scores = inner.filled({attr(group), count}, inner.f32(0));
          scores = rowProducts(inner, qRope, keys, rowProducts(inner, q, latents, scores));
          scores = scaled(inner, scores, getScale().convertToDouble());
          scf::YieldOp::create(nested, loc,
                               absorbBlock(inner, Softmax::from(state), attr(group), scores, latents).values());
        });
    Value result = divideBySum(body, Softmax::from(loop.getResults()));
    insertInParallel(body, grid, result, grid.getRegionIterArgs()[0], {token, head, zero},
                     {one, attr(group), attr(latent)});
  }
  return SmallVector<Value>{grid.getResult(0)};
}

namespace {

/// What one (sequence, head) task of the expanded form works on.
struct ExpandedTask {
  PagedAttentionExpandedOp op;
  Value cache, sequence, head;
  int64_t keySize, valueSize, latent, rope;
};

/// Scores of queries [begin, begin + count) against one block, with positions after the query masked out.
Value expandedScores(BodyBuilder &body, ExpandedTask &task, Value firstQuery, OpFoldResult numQueries, Value base,
                     OpFoldResult count, Value keys, Value ropeKeys) {
  auto attr = [&](int64_t value) -> OpFoldResult { return body.b.getIndexAttr(value); };
  OpFoldResult zero = attr(0), one = attr(1);
  auto op = task.op;
  auto sliceOf = [&](Value source, int64_t width) -> Value {
    auto type = cast<RankedTensorType>(source.getType());
    auto reduced = RankedTensorType::get(
        {getConstantIntValue(numQueries).value_or(ShapedType::kDynamic), width}, type.getElementType());
    SmallVector<OpFoldResult> strides(3, one);
    return tensor::ExtractSliceOp::create(body.b, body.loc, reduced, source,
                                          ArrayRef<OpFoldResult>{firstQuery, task.head, zero},
                                          ArrayRef<OpFoldResult>{numQueries, one, attr(width)}, strides);
  };
  Value scores = body.filled({numQueries, count}, body.f32(0));
  scores = rowProducts(body, sliceOf(op.getQuery(), task.keySize), keys, scores);
  scores = rowProducts(body, sliceOf(op.getQueryRope(), task.rope), ropeKeys, scores);
  Value baseI32 = body.toI32(base);
  Value positions = tensor::ExtractSliceOp::create(body.b, body.loc, op.getPositions(),
                                                   ArrayRef<OpFoldResult>{firstQuery},
                                                   ArrayRef<OpFoldResult>{numQueries}, ArrayRef<OpFoldResult>{one});
  return body.generic({positions}, {{0}}, scores, {0, 1}, 2, [&](BodyBuilder &p, ValueRange v) -> Value {
    Value column = p.toI32(linalg::IndexOp::create(p.b, p.loc, 1));
    Value key = arith::AddIOp::create(p.b, p.loc, baseI32, column);
    Value visible = arith::CmpIOp::create(p.b, p.loc, arith::CmpIPredicate::sle, key, v[0]);
    Value score = arith::MulFOp::create(p.b, p.loc, v[1], p.f32(op.getScale().convertToDouble()));
    return arith::SelectOp::create(p.b, p.loc, visible, score, p.f32(kNoScore));
  });
}

/// expanded[j, n] = sum over l of latents[j, l] * weight[head, n, l].
Value expandLatents(BodyBuilder &body, ExpandedTask &task, Value weight, Value latents, OpFoldResult count,
                    int64_t size) {
  auto attr = [&](int64_t value) -> OpFoldResult { return body.b.getIndexAttr(value); };
  Value matrix = slice2(body, weight, {task.head, attr(0), attr(0)}, {attr(1), attr(size), attr(task.latent)});
  return rowProducts(body, latents, matrix, body.filled({count, attr(size)}, body.f32(0)));
}

/// Runs one block of queries of one sequence over its cache.
Value expandedQueries(BodyBuilder &body, ExpandedTask &task, Value firstQuery, OpFoldResult numQueries, Value length) {
  auto attr = [&](int64_t value) -> OpFoldResult { return body.b.getIndexAttr(value); };
  OpFoldResult zero = attr(0), one = attr(1);
  Softmax first = emptySoftmax(body, numQueries, attr(task.valueSize));
  auto loop = scf::ForOp::create(
      body.b, body.loc, body.index(0), length, body.index(kBlockTokens), first.values(),
      [&](OpBuilder &nested, Location loc, Value begin, ValueRange state) {
        BodyBuilder inner(nested, loc);
        Value column = arith::DivUIOp::create(nested, loc, begin, inner.index(kBlockTokens));
        Value block = inner.toIndex(
            tensor::ExtractOp::create(nested, loc, task.op.getTables(), ValueRange{task.sequence, column}));
        OpFoldResult count = minWith(inner, kBlockTokens, begin, length);
        Value latents = slice2(inner, task.cache, {block, zero, zero}, {one, count, attr(task.latent)});
        Value ropeKeys = slice2(inner, task.cache, {block, zero, attr(task.latent)}, {one, count, attr(task.rope)});
        Value keys = expandLatents(inner, task, task.op.getKeyWeight(), latents, count, task.keySize);
        Value values = expandLatents(inner, task, task.op.getValueWeight(), latents, count, task.valueSize);
        Value scores = expandedScores(inner, task, firstQuery, numQueries, begin, count, keys, ropeKeys);
        scf::YieldOp::create(nested, loc, absorbBlock(inner, Softmax::from(state), numQueries, scores, values).values());
      });
  return divideBySum(body, Softmax::from(loop.getResults()));
}

} // namespace

FailureOr<SmallVector<Value>> PagedAttentionExpandedOp::buildLoops(OpBuilder &builder) {
  BodyBuilder body(builder, getLoc());
  auto weightType = cast<RankedTensorType>(getKeyWeight().getType());
  auto resultType = cast<RankedTensorType>(getResult().getType());
  int64_t heads = weightType.getDimSize(0), valueSize = resultType.getDimSize(2);
  OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
  ExpandedTask task{*this, {}, {}, {}, weightType.getDimSize(1), valueSize, weightType.getDimSize(2),
                    cast<RankedTensorType>(getQueryRope().getType()).getDimSize(2)};
  task.cache = bufferization::ToTensorOp::create(
      builder, getLoc(), memref::getTensorTypeFromMemRefType(getCache().getType()), getCache(), /*restrict=*/true);
  Value out = body.empty({body.sizes(getQuery())[0], builder.getIndexAttr(heads), builder.getIndexAttr(valueSize)},
                         builder.getF32Type());
  auto grid = createGrid(body, {body.sizes(getTables())[0], builder.getIndexAttr(heads)}, {1, 1}, out);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(grid.getTerminator());
    Location loc = getLoc();
    task.sequence = grid.getInductionVars()[0];
    task.head = grid.getInductionVars()[1];
    auto offsetOf = [&](Value index) {
      return body.toIndex(tensor::ExtractOp::create(builder, loc, getSequenceOffsets(), index));
    };
    Value begin = offsetOf(task.sequence);
    Value end = offsetOf(arith::AddIOp::create(builder, loc, task.sequence, body.index(1)));
    Value shared = grid.getRegionIterArgs()[0];
    auto loop = scf::ForOp::create(
        builder, loc, begin, end, body.index(kQueriesPerBlock), shared,
        [&](OpBuilder &nested, Location innerLoc, Value query, ValueRange state) {
          BodyBuilder inner(nested, innerLoc);
          OpFoldResult count = minWith(inner, kQueriesPerBlock, query, end);
          Value lastQuery = arith::SubIOp::create(
              nested, innerLoc,
              arith::AddIOp::create(nested, innerLoc, query, getValueOrCreateConstantIndexOp(nested, innerLoc, count)),
              inner.index(1));
          Value last = inner.toIndex(tensor::ExtractOp::create(nested, innerLoc, getPositions(), lastQuery));
          Value length = arith::AddIOp::create(nested, innerLoc, last, inner.index(1));
          Value rows = expandedQueries(inner, task, query, count, length);
          SmallVector<OpFoldResult> strides(3, one);
          Value written = tensor::InsertSliceOp::create(
              nested, innerLoc, rows, state[0], ArrayRef<OpFoldResult>{query, task.head, zero},
              ArrayRef<OpFoldResult>{count, one, nested.getIndexAttr(valueSize)}, strides);
          scf::YieldOp::create(nested, innerLoc, written);
        });
    Value rows = arith::SubIOp::create(builder, loc, end, begin);
    SmallVector<OpFoldResult> offsets = {begin, task.head, zero};
    SmallVector<OpFoldResult> extents = {rows, one, builder.getIndexAttr(valueSize)};
    SmallVector<OpFoldResult> strides(3, one);
    Value part = tensor::ExtractSliceOp::create(builder, loc, loop.getResult(0), offsets, extents, strides);
    insertInParallel(body, grid, part, shared, offsets, extents);
  }
  return SmallVector<Value>{grid.getResult(0)};
}

FailureOr<SmallVector<Value>> PagedScatterOp::buildLoops(OpBuilder &builder) {
  BodyBuilder body(builder, getLoc());
  Location loc = getLoc();
  OpFoldResult one = builder.getIndexAttr(1);
  auto grid = createGrid(body, {body.sizes(getSlots())[0]}, {1}, {});
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(grid.getTerminator());
  Value token = grid.getInductionVars()[0];
  Value slot = body.toIndex(tensor::ExtractOp::create(builder, loc, getSlots(), token));
  Value block = arith::DivUIOp::create(builder, loc, slot, body.index(kBlockTokens));
  Value offset = arith::RemUIOp::create(builder, loc, slot, body.index(kBlockTokens));
  int64_t column = 0;
  for (Value part : getParts()) {
    int64_t width = cast<RankedTensorType>(part.getType()).getDimSize(1);
    OpFoldResult columns = builder.getIndexAttr(width);
    Value row = body.row(part, {token});
    auto cacheType = cast<MemRefType>(getCache().getType());
    SmallVector<OpFoldResult> offsets = {block, offset, builder.getIndexAttr(column)}, sizes = {one, one, columns},
                              strides = {one, one, one};
    auto type = memref::SubViewOp::inferRankReducedResultType({width}, cacheType, offsets, sizes, strides);
    Value target = memref::SubViewOp::create(builder, loc, cast<MemRefType>(type), getCache(), offsets, sizes, strides);
    bufferization::MaterializeInDestinationOp::create(builder, loc, /*result=*/Type(), row, target,
                                                      /*restrict=*/true, /*writable=*/true);
    column += width;
  }
  return SmallVector<Value>{};
}
