// Bounds of the buffers that a task needs for itself.
#pragma once

#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace kimi::passes {

/// Bytes that `alloc` needs at most. A size without a bound is an error that names the function.
mlir::FailureOr<int64_t> boundOf(mlir::memref::AllocOp alloc);

} // namespace kimi::passes
