// Body of kimi.sample: one grid task per row. This file holds the row's structure, what changes its logits, and the
// log-probabilities; KimiSampleDraw.cpp draws.
#include "dialects/kimi/KimiSampleBody.h"
#include "dialects/kimi/Kimi.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"

#include <limits>

using namespace mlir;
using namespace kimi::model;
using kimi::kernel::BodyBuilder;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kForbidden = -1e30; // a masked logit: below every other, yet finite, so that differences stay numbers
constexpr int64_t kWordBits = 32;    // tokens in one word of the mask
constexpr int64_t kMaxTop = 20;      // columns of the top lists, see artifact.fbs
constexpr int64_t kNoToken = std::numeric_limits<int32_t>::max();

Value extract(BodyBuilder &body, Value tensor, ValueRange indices) {
  return tensor::ExtractOp::create(body.b, body.loc, tensor, indices);
}

Value insert(BodyBuilder &body, Value scalar, Value tensor, ValueRange indices) {
  return tensor::InsertOp::create(body.b, body.loc, scalar, tensor, indices);
}

Value compare(BodyBuilder &body, arith::CmpFPredicate predicate, Value a, Value b) {
  return arith::CmpFOp::create(body.b, body.loc, predicate, a, b);
}

Value compare(BodyBuilder &body, arith::CmpIPredicate predicate, Value a, Value b) {
  return arith::CmpIOp::create(body.b, body.loc, predicate, a, b);
}

Value select(BodyBuilder &body, Value condition, Value yes, Value no) {
  return arith::SelectOp::create(body.b, body.loc, condition, yes, no);
}

/// Reduces `row` from `neutral` on with the operation Combiner over the payload's values.
template <typename Combiner>
Value reduceRow(BodyBuilder &body, Value row, Value neutral, const TokenPayload &payload) {
  Value init = body.filled({}, neutral);
  Value result = body.generic({row}, {{0}}, init, {}, 1, [&](BodyBuilder &p, ValueRange v) -> Value {
    Value element = v[0];
    if (payload)
      element = payload(p, element, p.toI32(linalg::IndexOp::create(p.b, p.loc, 0)));
    return Combiner::create(p.b, p.loc, element, v[1]);
  });
  return extract(body, result, {});
}

} // namespace

namespace kimi::model {

Value SampleRow::control(BodyBuilder &body, SampleOperand which) const { return extract(body, operand(which), row); }

Value largest(BodyBuilder &body, Value row, const TokenPayload &payload) {
  return reduceRow<arith::MaximumFOp>(body, row, body.f32(-kInfinity), payload);
}

Value sumOf(BodyBuilder &body, Value row, const TokenPayload &payload) {
  return reduceRow<arith::AddFOp>(body, row, body.f32(0), payload);
}

Value countOf(BodyBuilder &body, Value row, const TokenPayload &condition) {
  return reduceRow<arith::AddIOp>(body, row, body.i32(0), [&](BodyBuilder &p, Value element, Value token) {
    return arith::ExtUIOp::create(p.b, p.loc, p.b.getI32Type(), condition(p, element, token)).getResult();
  });
}

Value firstToken(BodyBuilder &body, Value row, const TokenPayload &condition) {
  auto tokenOrNone = [&](BodyBuilder &p, Value element, Value token) {
    return select(p, condition(p, element, token), token, p.i32(kNoToken));
  };
  Value first = reduceRow<arith::MinSIOp>(body, row, body.i32(kNoToken), tokenOrNone);
  Value none = compare(body, arith::CmpIPredicate::eq, first, body.i32(kNoToken));
  return select(body, none, body.i32(0), first);
}

Value firstLargest(BodyBuilder &body, Value row) {
  Value value = largest(body, row);
  return firstToken(body, row, [&](BodyBuilder &p, Value element, Value) {
    return compare(p, arith::CmpFPredicate::OEQ, element, value);
  });
}

} // namespace kimi::model

namespace {

//===- what changes the logits -------------------------------------------------------------------------------===//

using Adjustment = std::function<Value(BodyBuilder &, Value logit, Value entry)>;

/// z[tokens[i]] = adjust(z[tokens[i]], i) for the row's entries: offsets[row] <= i < offsets[row + 1].
Value adjustEntries(BodyBuilder &body, const SampleRow &row, Value z, SampleOperand offsets, SampleOperand tokens,
                    const Adjustment &adjust) {
  auto boundary = [&](Value index) { return body.toIndex(extract(body, row.operand(offsets), index)); };
  Value begin = boundary(row.row);
  Value end = boundary(arith::AddIOp::create(body.b, body.loc, row.row, body.index(1)));
  auto loop = scf::ForOp::create(body.b, body.loc, begin, end, body.index(1), z,
                                 [&](OpBuilder &nested, Location loc, Value entry, ValueRange state) {
                                   BodyBuilder inner(nested, loc);
                                   Value token = inner.toIndex(extract(inner, row.operand(tokens), entry));
                                   Value logit = adjust(inner, extract(inner, state[0], token), entry);
                                   scf::YieldOp::create(nested, loc, insert(inner, logit, state[0], token));
                                 });
  return loop.getResult(0);
}

/// Repetition (Keskar et al. 2019, "CTRL", with the sign rule that every server uses: it always lowers the logit),
/// then presence and frequency as the OpenAI API defines them, over the output alone.
Value penalise(BodyBuilder &body, const SampleRow &row, Value z) {
  Value repetition = row.control(body, SampleOperand::repetitionPenalty);
  Value presence = row.control(body, SampleOperand::presencePenalty);
  Value frequency = row.control(body, SampleOperand::frequencyPenalty);
  return adjustEntries(body, row, z, SampleOperand::penaltyOffsets, SampleOperand::penaltyTokens,
                       [&](BodyBuilder &p, Value logit, Value entry) -> Value {
                         Value zero = p.f32(0);
                         Value count = extract(p, row.operand(SampleOperand::penaltyCounts), entry);
                         Value divided = arith::DivFOp::create(p.b, p.loc, logit, repetition);
                         Value multiplied = arith::MulFOp::create(p.b, p.loc, logit, repetition);
                         Value positive = compare(p, arith::CmpFPredicate::OGT, logit, zero);
                         Value repeated = select(p, positive, divided, multiplied);
                         Value seen = compare(p, arith::CmpIPredicate::sgt, count, p.i32(0));
                         Value once = select(p, seen, presence, zero);
                         Value times = arith::SIToFPOp::create(p.b, p.loc, p.b.getF32Type(), count);
                         Value each = arith::MulFOp::create(p.b, p.loc, frequency, times);
                         Value left = arith::SubFOp::create(p.b, p.loc, repeated, once);
                         return arith::SubFOp::create(p.b, p.loc, left, each);
                       });
}

Value addBias(BodyBuilder &body, const SampleRow &row, Value z) {
  return adjustEntries(body, row, z, SampleOperand::biasOffsets, SampleOperand::biasTokens,
                       [&](BodyBuilder &p, Value logit, Value entry) -> Value {
                         Value bias = extract(p, row.operand(SampleOperand::biasValues), entry);
                         return arith::AddFOp::create(p.b, p.loc, logit, bias);
                       });
}

/// Forbids the tokens [32 w, 32 w + 32) whose bits of mask word w are 0.
Value maskWord(BodyBuilder &body, const SampleRow &row, Value z, Value word) {
  Location loc = body.loc;
  Value bits = extract(body, row.operand(SampleOperand::tokenMask), {row.row, word});
  Value begin = arith::MulIOp::create(body.b, loc, word, body.index(kWordBits));
  OpFoldResult count = body.b.getIndexAttr(kWordBits), one = body.b.getIndexAttr(1);
  if (row.vocabulary % kWordBits != 0) {
    AffineExpr left = getAffineConstantExpr(row.vocabulary, body.b.getContext()) - body.b.getAffineDimExpr(0);
    auto map = AffineMap::get(1, 0, {left, body.b.getAffineConstantExpr(kWordBits)}, body.b.getContext());
    count = affine::AffineMinOp::create(body.b, loc, map, begin).getResult();
  }
  Value part = tensor::ExtractSliceOp::create(body.b, loc, z, ArrayRef<OpFoldResult>{begin}, count, one);
  part = body.elementwise({}, part, [&](BodyBuilder &p, ValueRange v) -> Value {
    Value bit = p.toI32(linalg::IndexOp::create(p.b, p.loc, 0));
    Value shifted = arith::ShRUIOp::create(p.b, p.loc, bits, bit);
    Value low = arith::AndIOp::create(p.b, p.loc, shifted, p.i32(1));
    Value allowed = compare(p, arith::CmpIPredicate::ne, low, p.i32(0));
    return select(p, allowed, v[0], p.f32(kForbidden));
  });
  return tensor::InsertSliceOp::create(body.b, loc, part, z, ArrayRef<OpFoldResult>{begin}, count, one);
}

/// A loop over the mask's words that turns zero times where the row has no mask.
Value applyMask(BodyBuilder &body, const SampleRow &row, Value z) {
  Value words = body.index(llvm::divideCeil(row.vocabulary, kWordBits)), zero = body.index(0);
  Value masked = compare(body, arith::CmpIPredicate::ne, row.control(body, SampleOperand::maskRows), body.i32(0));
  auto loop = scf::ForOp::create(body.b, body.loc, zero, select(body, masked, words, zero), body.index(1), z,
                                 [&](OpBuilder &nested, Location loc, Value word, ValueRange state) {
                                   BodyBuilder inner(nested, loc);
                                   scf::YieldOp::create(nested, loc, maskWord(inner, row, state[0], word));
                                 });
  return loop.getResult(0);
}

/// A copy of the row's logits, penalised, biased and masked: what the token is chosen from.
Value adjustedLogits(BodyBuilder &body, const SampleRow &row) {
  Value copy = body.elementwise({row.logits}, body.empty({body.b.getIndexAttr(row.vocabulary)}, body.b.getF32Type()),
                                [](BodyBuilder &, ValueRange v) { return v[0]; });
  return applyMask(body, row, addBias(body, row, penalise(body, row, copy)));
}

//===- the token ---------------------------------------------------------------------------------------------===//

Value chooseToken(BodyBuilder &body, const SampleRow &row, Value z) {
  Value temperature = row.control(body, SampleOperand::temperature);
  Value draws = compare(body, arith::CmpFPredicate::OGT, temperature, body.f32(0));
  auto choice = scf::IfOp::create(
      body.b, body.loc, draws,
      [&](OpBuilder &nested, Location loc) {
        BodyBuilder inner(nested, loc);
        scf::YieldOp::create(nested, loc, drawToken(inner, row, z, temperature));
      },
      [&](OpBuilder &nested, Location loc) {
        BodyBuilder inner(nested, loc);
        scf::YieldOp::create(nested, loc, firstLargest(inner, z));
      });
  return choice.getResult(0);
}

//===- what is said about the logits -------------------------------------------------------------------------===//

/// 1 where every logit is a finite number: a NaN compares false as well.
Value isFinite(BodyBuilder &body, const SampleRow &row) {
  Value bad = countOf(body, row.logits, [](BodyBuilder &p, Value element, Value) {
    Value size = math::AbsFOp::create(p.b, p.loc, element);
    return compare(p, arith::CmpFPredicate::UGE, size, p.f32(kInfinity));
  });
  return select(body, compare(body, arith::CmpIPredicate::eq, bad, body.i32(0)), body.i32(1), body.i32(0));
}

/// The log-softmax of the model's own logits, element by element: (l - max) - ln(sum of exp(l - max)).
class LogSoftmax {
public:
  LogSoftmax(BodyBuilder &body, Value logits) : maximum(largest(body, logits)) {
    Value sum = sumOf(body, logits, [&](BodyBuilder &p, Value element, Value) {
      return math::ExpOp::create(p.b, p.loc, arith::SubFOp::create(p.b, p.loc, element, maximum)).getResult();
    });
    logSum = math::LogOp::create(body.b, body.loc, sum);
  }

  Value of(BodyBuilder &body, Value logit) const {
    Value below = arith::SubFOp::create(body.b, body.loc, logit, maximum);
    return arith::SubFOp::create(body.b, body.loc, below, logSum);
  }

private:
  Value maximum, logSum;
};

/// Where token `token` with logit `element` stands after (value, id) = `last` in the order of the list: by value,
/// highest first, then by id.
Value comesAfter(BodyBuilder &p, Value element, Value token, ValueRange last) {
  Value lower = compare(p, arith::CmpFPredicate::OLT, element, last[0]);
  Value equal = compare(p, arith::CmpFPredicate::OEQ, element, last[0]);
  Value later = compare(p, arith::CmpIPredicate::sgt, token, last[1]);
  Value next = arith::AndIOp::create(p.b, p.loc, equal, later);
  return arith::OrIOp::create(p.b, p.loc, lower, next);
}

/// One turn of the selection: (value, id) of the entry that follows `last`.
SmallVector<Value> nextTop(BodyBuilder &body, Value logits, ValueRange last) {
  Value value = largest(body, logits, [&](BodyBuilder &p, Value element, Value token) {
    return select(p, comesAfter(p, element, token, last), element, p.f32(-kInfinity));
  });
  Value token = firstToken(body, logits, [&](BodyBuilder &p, Value element, Value token) -> Value {
    Value equal = compare(p, arith::CmpFPredicate::OEQ, element, value);
    return arith::AndIOp::create(p.b, p.loc, equal, comesAfter(p, element, token, last));
  });
  return {value, token};
}

/// The first logprob_counts entries of the list, written into rows [20]; the others are 0.
std::pair<Value, Value> listTop(BodyBuilder &body, const SampleRow &row, const LogSoftmax &softmax, Value ids,
                                Value logprobs) {
  int64_t most = std::min(kMaxTop, row.vocabulary);
  Value wanted = body.toIndex(row.control(body, SampleOperand::logprobCounts));
  Value count = arith::MinSIOp::create(body.b, body.loc, wanted, body.index(most));
  ids = linalg::FillOp::create(body.b, body.loc, body.i32(0), ids).getResult(0);
  logprobs = linalg::FillOp::create(body.b, body.loc, body.f32(0), logprobs).getResult(0);
  SmallVector<Value> first = {ids, logprobs, body.f32(kInfinity), body.i32(-1)};
  auto loop = scf::ForOp::create(
      body.b, body.loc, body.index(0), count, body.index(1), first,
      [&](OpBuilder &nested, Location loc, Value place, ValueRange state) {
        BodyBuilder inner(nested, loc);
        SmallVector<Value> next = nextTop(inner, row.logits, state.drop_front(2));
        Value newIds = insert(inner, next[1], state[0], place);
        Value newLogprobs = insert(inner, softmax.of(inner, next[0]), state[1], place);
        scf::YieldOp::create(nested, loc, ValueRange{newIds, newLogprobs, next[0], next[1]});
      });
  return {loop.getResult(0), loop.getResult(1)};
}

//===- the grid ----------------------------------------------------------------------------------------------===//

/// The offsets and sizes of one row in a result of shape [R] or [R, columns].
struct RowSlice {
  SmallVector<OpFoldResult> offsets, sizes, strides;

  RowSlice(BodyBuilder &body, Value whole, Value row) : sizes(body.sizes(whole)) {
    offsets.assign(sizes.size(), body.b.getIndexAttr(0));
    strides.assign(sizes.size(), body.b.getIndexAttr(1));
    offsets[0] = row;
    sizes[0] = body.b.getIndexAttr(1);
  }
};

/// Works out one row in the slices `parts` of the results: sampled, logprob, top ids, top logprobs, finite.
SmallVector<Value> sampleRow(BodyBuilder &body, const SampleRow &row, ValueRange parts) {
  Value token = chooseToken(body, row, adjustedLogits(body, row));
  LogSoftmax softmax(body, row.logits);
  Value logprob = softmax.of(body, extract(body, row.logits, body.toIndex(token)));
  auto [ids, logprobs] = listTop(body, row, softmax, parts[2], parts[3]);
  Value first = body.index(0);
  return {insert(body, token, parts[0], first), insert(body, logprob, parts[1], first), ids, logprobs,
          insert(body, isFinite(body, row), parts[4], first)};
}

} // namespace

FailureOr<SmallVector<Value>> SampleOp::buildBody(OpBuilder &builder, ValueRange operands) {
  BodyBuilder body(builder, getLoc());
  OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1), rows = body.sizes(operands[0])[0];
  SmallVector<Value> outs;
  for (Type type : getResultTypes()) {
    auto result = cast<RankedTensorType>(type);
    SmallVector<OpFoldResult> sizes = {rows};
    for (int64_t columns : result.getShape().drop_front())
      sizes.push_back(builder.getIndexAttr(columns));
    outs.push_back(body.empty(sizes, result.getElementType()));
  }
  auto grid = scf::ForallOp::create(builder, getLoc(), ArrayRef<OpFoldResult>{zero}, ArrayRef<OpFoldResult>{rows},
                                    ArrayRef<OpFoldResult>{one}, outs, std::nullopt);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(grid.getTerminator());
  Value row = grid.getInductionVars()[0];
  int64_t vocabulary = cast<RankedTensorType>(operands[0].getType()).getDimSize(1);
  SmallVector<RowSlice> slices;
  SmallVector<Value> parts;
  for (Value whole : grid.getRegionIterArgs()) {
    auto type = cast<RankedTensorType>(whole.getType());
    auto reduced = RankedTensorType::get({type.getRank() == 1 ? 1 : type.getDimSize(1)}, type.getElementType());
    RowSlice &slice = slices.emplace_back(body, whole, row);
    parts.push_back(tensor::ExtractSliceOp::create(builder, getLoc(), reduced, whole, slice.offsets, slice.sizes,
                                                   slice.strides));
  }
  parts = sampleRow(body, {operands, row, body.row(operands[0], {row}), vocabulary}, parts);
  builder.setInsertionPointToEnd(grid.getTerminator().getBody());
  for (auto [part, whole, slice] : llvm::zip(parts, grid.getRegionIterArgs(), slices))
    tensor::ParallelInsertSliceOp::create(builder, getLoc(), part, whole, slice.offsets, slice.sizes, slice.strides);
  return SmallVector<Value>(grid.getResults());
}
