// Products that a library (cuBLASLt) computes, found in a kernel by their structure. Thread rule: plain functions.
#pragma once

#include "passes/Target.h"
#include "passes/select/Overrides.h"
#include "passes/select/SkinnyProduct.h"

namespace kimi::passes {

/// Whether launches of `kernel` are calls of a library.
bool isLibraryCall(kernel::FuncOp kernel);

/// The only product of `kernel`: of bf16 by a weight of bf16. An error that says what else it is.
llvm::Expected<SkinnyProduct> findLibraryProduct(kernel::FuncOp kernel);

/// Whether `kernel` does nothing but `product`: its result is the sums, as they are or rounded to bf16.
bool isWholeKernel(kernel::FuncOp kernel, const SkinnyProduct &product);

/// Memory that a call may use, in bytes.
int64_t libraryWorkspace(const CudaTarget &target);

/// Kernels that became calls of a library (instantiateTemplates) keep their product only: what follows it becomes a
/// generated kernel. Equal products are one kernel.
void splitLibraryCalls(mlir::ModuleOp module);

} // namespace kimi::passes
