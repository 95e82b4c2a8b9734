// Writes linalg operations on memrefs as loops that the threads of a block share, in a fixed order of sums.
#pragma once

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace kimi::passes {

inline constexpr int64_t kWarpThreads = 32;
inline constexpr int64_t kWarps = 8;
inline constexpr int64_t kBlockThreads = kWarps * kWarpThreads;

/// The running thread, as index values that dominate all code of the kernel.
struct ThreadIds {
  mlir::Value thread, warp, lane;
};

/// Replaces `op` by loops over the block's threads. All threads must reach it; what it writes is visible to others
/// after a barrier. How the sum of an output element is split depends on the sizes of the operation alone.
void writeThreadLoops(mlir::linalg::GenericOp op, const ThreadIds &ids);

} // namespace kimi::passes
