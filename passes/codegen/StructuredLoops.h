// Writes linalg operations on memrefs as loops over vectors of 16 lanes, in a fixed order of sums.
#pragma once

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace kimi::passes {

/// Replaces `op` by loops. Every output element is summed over its reduction loops in one order that depends on the
/// sizes of those loops alone, never on how the parallel loops are split: that is what makes a token's bits
/// independent of its neighbours. A factor that terms share over blocks of the sum is applied to each block's sum.
void writeLoops(mlir::linalg::GenericOp op);

} // namespace kimi::passes
