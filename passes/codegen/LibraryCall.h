// What codegen leaves of a kernel that is a library's: no code, but all that a call needs. Thread rule: plain functions.
#pragma once

#include "dialects/kernel/Kernel.h"

#include "mlir/IR/BuiltinOps.h"

namespace kimi::passes {

/// Gives `kernel`, whose implementation is cublaslt, its grid (the rows), its #kernel.matrix_product, and a workspace as one
/// more result. Errors, at the kernel: it holds more than a product, or its parameters are not those of the implementation.
mlir::LogicalResult writeLibraryCall(mlir::ModuleOp module, kernel::FuncOp kernel);

/// `kernel` and all its calls get one more result, which nobody reads.
void addScratchResult(mlir::ModuleOp module, kernel::FuncOp kernel, mlir::RankedTensorType type, mlir::ArrayAttr dims);

} // namespace kimi::passes
