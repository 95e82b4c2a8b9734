// Rewrites a kernel to read one of its weights in panels.
#pragma once

#include "dialects/kernel/Kernel.h"

namespace kimi::passes {

/// Whether argument `index` of `func` is only read as the transposed factor [.., N, K] of one product, N % 16 == 0; or as
/// codes, or scales by row, that dequantise to it.
bool canReadPanels(kernel::FuncOp func, unsigned index);

/// Changes argument `index` to panels and the product that reads it. canReadPanels must hold.
void readPanels(kernel::FuncOp func, unsigned index);

/// Gives argument `index` its type in memory, row-major: codes of 4 bits become bytes.
void readRowMajor(kernel::FuncOp func, unsigned index);

/// Carries split columns through the elementwise neighbours of rewritten products.
mlir::LogicalResult propagateSplitColumns(kernel::FuncOp func);

} // namespace kimi::passes
