// How the lanes of a vector are used in one linalg.generic.
#pragma once

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace kimi::passes {

inline constexpr int64_t kLanes = 16; // f32 values; two registers of AVX2, one of AVX-512, four of NEON

enum class LaneUse {
  None,      // scalar code
  Parallel,  // neighbouring lanes are neighbouring output elements
  Reduction  // lanes are partial sums of one output element, combined by a fixed tree
};

struct LanePlan {
  LaneUse use = LaneUse::None;
  unsigned loop = 0; // the loop that runs over lanes
};

LanePlan planLanes(mlir::linalg::GenericOp op);

/// Whether elements that `map` names differ from lane to lane when `loop` runs over lanes. Blocks of whole vectors, such as
/// `loop floordiv 32`, do not: lanes begin at multiples of kLanes.
bool variesOverLanes(mlir::AffineMap map, unsigned loop);

/// The operation that combines partial results of output `index`, or null: an fma counts as its addition.
mlir::Operation *combinerOf(mlir::linalg::GenericOp op, unsigned index);

/// Whether `value` is linalg.index of `loop`.
bool isLoopIndex(mlir::Value value, unsigned loop);

} // namespace kimi::passes
