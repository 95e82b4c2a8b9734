// The random draw of kimi.sample: thresholds by bisection, then the Gumbel-max trick.
//
// Everything works on distances d = (max z - z) / temperature >= 0, of which 0 is the likeliest token: -d is the
// logarithm of a token's weight relative to that one, and no temperature can make the largest overflow. Every cut is
// an upper limit on d.
#include "dialects/kimi/KimiSampleBody.h"

#include <limits>

using namespace mlir;
using kimi::kernel::BodyBuilder;
using kimi::model::SampleOperand;
using kimi::model::SampleRow;

namespace {

constexpr int64_t kInfinityBits = 0x7f800000; // +inf as f32; the bits of floats >= 0 are ordered as the floats are
constexpr int64_t kBisections = 31;           // halvings that leave one of kInfinityBits + 1 candidates
constexpr double kInfinity = std::numeric_limits<double>::infinity();

Value asFloat(BodyBuilder &body, Value bits) {
  return arith::BitcastOp::create(body.b, body.loc, body.b.getF32Type(), bits);
}

Value isWithin(BodyBuilder &body, Value distance, Value limit) {
  return arith::CmpFOp::create(body.b, body.loc, arith::CmpFPredicate::OLE, distance, limit);
}

/// z's distances, written over z. NaN if the row holds one; then no token is within any limit.
Value distances(BodyBuilder &body, Value z, Value temperature) {
  Value maximum = kimi::model::largest(body, z);
  return body.elementwise({}, z, [&](BodyBuilder &p, ValueRange v) -> Value {
    Value below = arith::SubFOp::create(p.b, p.loc, maximum, v[0]);
    return arith::DivFOp::create(p.b, p.loc, below, temperature);
  });
}

//===- cuts --------------------------------------------------------------------------------------------------===//

using Predicate = std::function<Value(BodyBuilder &, Value limit)>;

/// The least limit, as bits, for which `isEnough` holds, given that it holds for `highest` and for all limits above
/// one for which it holds. Bisection over the bits finds it exactly, whatever the spread of the distances, in a
/// number of turns that depends on nothing. Where it holds nowhere, `highest`.
Value leastLimit(BodyBuilder &body, Value highest, const Predicate &isEnough) {
  SmallVector<Value> range = {body.i32(0), highest};
  auto loop = scf::ForOp::create(
      body.b, body.loc, body.index(0), body.index(kBisections), body.index(1), range,
      [&](OpBuilder &nested, Location loc, Value, ValueRange now) {
        BodyBuilder inner(nested, loc);
        Value width = arith::SubIOp::create(nested, loc, now[1], now[0]); // the sum of the two could overflow
        Value half = arith::ShRSIOp::create(nested, loc, width, inner.i32(1));
        Value middle = arith::AddIOp::create(nested, loc, now[0], half);
        Value above = arith::AddIOp::create(nested, loc, middle, inner.i32(1));
        Value enough = isEnough(inner, asFloat(inner, middle));
        Value low = arith::SelectOp::create(nested, loc, enough, now[0], above);
        Value high = arith::SelectOp::create(nested, loc, enough, middle, now[1]);
        scf::YieldOp::create(nested, loc, ValueRange{low, high});
      });
  return loop.getResult(1);
}

/// `cut` if the condition holds, `otherwise` if not.
Value cutIf(BodyBuilder &body, Value condition, Value otherwise, const std::function<Value(BodyBuilder &)> &cut) {
  auto choice = scf::IfOp::create(
      body.b, body.loc, condition,
      [&](OpBuilder &nested, Location loc) {
        BodyBuilder inner(nested, loc);
        scf::YieldOp::create(nested, loc, cut(inner));
      },
      [&](OpBuilder &nested, Location loc) { scf::YieldOp::create(nested, loc, otherwise); });
  return choice.getResult(0);
}

/// The distance of the top_k-th nearest token; those equally far all stay.
Value topKLimit(BodyBuilder &body, const SampleRow &row, Value distance, Value highest) {
  Value k = row.control(body, SampleOperand::topK);
  Value on = arith::CmpIOp::create(body.b, body.loc, arith::CmpIPredicate::sgt, k, body.i32(0));
  return cutIf(body, on, highest, [&](BodyBuilder &inner) {
    return leastLimit(inner, highest, [&](BodyBuilder &p, Value limit) -> Value {
      auto within = [&](BodyBuilder &q, Value d, Value) { return isWithin(q, d, limit); };
      Value count = kimi::model::countOf(p, distance, within);
      return arith::CmpIOp::create(p.b, p.loc, arith::CmpIPredicate::sge, count, k);
    });
  });
}

Value massWithin(BodyBuilder &body, Value distance, Value weights, Value limit) {
  Value sum = body.generic({distance, weights}, {{0}, {0}}, body.filled({}, body.f32(0)), {}, 1,
                           [&](BodyBuilder &p, ValueRange v) -> Value {
                             Value within = isWithin(p, v[0], limit);
                             Value weight = arith::SelectOp::create(p.b, p.loc, within, v[1], p.f32(0));
                             return arith::AddFOp::create(p.b, p.loc, weight, v[2]);
                           });
  return tensor::ExtractOp::create(body.b, body.loc, sum, ValueRange{});
}

/// The least limit whose tokens hold top_p of the weight within `highest`. A sum of weights that are >= 0 never
/// falls when more of them count, rounding included, because the order of additions is fixed.
Value topPLimit(BodyBuilder &body, const SampleRow &row, Value distance, Value highest) {
  Value share = row.control(body, SampleOperand::topP);
  Value on = arith::CmpFOp::create(body.b, body.loc, arith::CmpFPredicate::OLT, share, body.f32(1));
  return cutIf(body, on, highest, [&](BodyBuilder &inner) {
    // Kept, because the exponentials would be most of the work of every turn.
    Value weights = inner.elementwise({distance}, inner.empty(inner.sizes(distance), inner.b.getF32Type()),
                                      [](BodyBuilder &p, ValueRange v) -> Value {
                                        Value exponent = arith::NegFOp::create(p.b, p.loc, v[0]);
                                        return math::ExpOp::create(p.b, p.loc, exponent);
                                      });
    Value whole = massWithin(inner, distance, weights, asFloat(inner, highest));
    Value wanted = arith::MulFOp::create(inner.b, inner.loc, share, whole);
    return leastLimit(inner, highest, [&](BodyBuilder &p, Value limit) -> Value {
      Value mass = massWithin(p, distance, weights, limit);
      return arith::CmpFOp::create(p.b, p.loc, arith::CmpFPredicate::OGE, mass, wanted);
    });
  });
}

/// exp(-d) >= min_p, that is d <= -ln(min_p).
Value minPLimit(BodyBuilder &body, const SampleRow &row) {
  Value minP = row.control(body, SampleOperand::minP);
  Value on = arith::CmpFOp::create(body.b, body.loc, arith::CmpFPredicate::OGT, minP, body.f32(0));
  Value most = arith::MinimumFOp::create(body.b, body.loc, minP, body.f32(1)); // the likeliest token always stays
  Value positive = arith::SelectOp::create(body.b, body.loc, on, most, body.f32(1));
  Value logarithm = math::LogOp::create(body.b, body.loc, positive);
  Value limit = arith::SubFOp::create(body.b, body.loc, body.f32(0), logarithm);
  return arith::SelectOp::create(body.b, body.loc, on, limit, body.f32(kInfinity));
}

//===- noise -------------------------------------------------------------------------------------------------===//

/// The 32-bit finaliser of MurmurHash3 (Austin Appleby, public domain): a bijection in which every input bit changes
/// every output bit with probability close to 1/2.
Value mix(BodyBuilder &p, Value x) {
  auto foldDown = [&](Value value, int64_t distance) -> Value {
    Value shifted = arith::ShRUIOp::create(p.b, p.loc, value, p.i32(distance));
    return arith::XOrIOp::create(p.b, p.loc, value, shifted);
  };
  auto times = [&](Value value, uint32_t factor) -> Value {
    return arith::MulIOp::create(p.b, p.loc, value, p.i32(static_cast<int32_t>(factor)));
  };
  x = times(foldDown(x, 16), 0x85ebca6bu);
  x = times(foldDown(x, 13), 0xc2b2ae35u);
  return foldDown(x, 16);
}

/// A key from three words, each mixed in after the last. The constant, 2^32 / golden ratio, keeps zeros from staying.
Value keyOf(BodyBuilder &body, ArrayRef<Value> words) {
  Value key = body.i32(0);
  for (Value word : words) {
    Value moved = arith::AddIOp::create(body.b, body.loc, key, body.i32(static_cast<int32_t>(0x9e3779b9u)));
    key = mix(body, arith::XOrIOp::create(body.b, body.loc, moved, word));
  }
  return key;
}

/// Two keys of the row's (seed, draw_index): 64 bits, so that draws share no stretch of the noise.
std::pair<Value, Value> noiseKeys(BodyBuilder &body, const SampleRow &row) {
  auto seed = [&](int64_t word) -> Value {
    return tensor::ExtractOp::create(body.b, body.loc, row.operand(SampleOperand::seeds),
                                     ValueRange{row.row, body.index(word)});
  };
  Value low = seed(0), high = seed(1), draw = row.control(body, SampleOperand::drawIndex);
  return {keyOf(body, {low, high, draw}), keyOf(body, {draw, high, low})};
}

/// Standard exponential noise -ln(1 - u), u = (h + 1/2) / 2^31 for the hash h of (keys, token). Small values decide
/// the draw and 1 - u would round them away, so below 1/64 the series u + u^2/2 + u^3/3 takes over: both are good to
/// 2e-6, and the least value is 2^-32.
Value exponentialNoise(BodyBuilder &p, std::pair<Value, Value> keys, Value token) {
  auto add = [&](Value a, Value b) -> Value { return arith::AddFOp::create(p.b, p.loc, a, b); };
  auto times = [&](Value a, Value b) -> Value { return arith::MulFOp::create(p.b, p.loc, a, b); };
  Value once = mix(p, arith::XOrIOp::create(p.b, p.loc, token, keys.first));
  Value hash = mix(p, arith::AddIOp::create(p.b, p.loc, once, keys.second));
  Value bits = arith::ShRUIOp::create(p.b, p.loc, hash, p.i32(1)); // 31 bits: a signed conversion suffices
  Value u = times(add(arith::SIToFPOp::create(p.b, p.loc, p.b.getF32Type(), bits), p.f32(0.5)), p.f32(0x1p-31));
  u = arith::MinimumFOp::create(p.b, p.loc, u, p.f32(1 - 0x1p-24)); // the largest hashes round up to 1
  Value series = times(u, add(p.f32(1), times(u, add(p.f32(0.5), times(u, p.f32(1.0 / 3))))));
  Value logarithm = math::LogOp::create(p.b, p.loc, arith::SubFOp::create(p.b, p.loc, p.f32(1), u));
  Value direct = arith::NegFOp::create(p.b, p.loc, logarithm);
  Value small = arith::CmpFOp::create(p.b, p.loc, arith::CmpFPredicate::OLT, u, p.f32(1.0 / 64));
  return arith::SelectOp::create(p.b, p.loc, small, series, direct);
}

} // namespace

namespace kimi::model {

/// The Gumbel-max trick (Gumbel 1954; Maddison, Tarlow, Minka 2014): the largest of -d + g, g = -ln(noise), falls on
/// each token with the probability exp(-d) / sum of exp(-d).
Value drawToken(BodyBuilder &body, const SampleRow &row, Value z, Value temperature) {
  Value distance = distances(body, z, temperature);
  Value bits = body.i32(kInfinityBits);
  bits = topPLimit(body, row, distance, topKLimit(body, row, distance, bits));
  Value limit = arith::MinimumFOp::create(body.b, body.loc, asFloat(body, bits), minPLimit(body, row));
  auto keys = noiseKeys(body, row);
  Value scores = body.elementwise({}, distance, [&](BodyBuilder &p, ValueRange v) -> Value {
    Value token = p.toI32(linalg::IndexOp::create(p.b, p.loc, 0));
    Value logarithm = math::LogOp::create(p.b, p.loc, exponentialNoise(p, keys, token));
    Value sum = arith::AddFOp::create(p.b, p.loc, v[0], logarithm);
    Value score = arith::SubFOp::create(p.b, p.loc, p.f32(0), sum);
    return arith::SelectOp::create(p.b, p.loc, isWithin(p, v[0], limit), score, p.f32(-kInfinity));
  });
  return firstLargest(body, scores);
}

} // namespace kimi::model
