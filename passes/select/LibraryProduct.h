// Products that a library (cuBLASLt) computes, found in a kernel by their structure. Thread rule: plain functions.
#pragma once

#include "passes/Target.h"
#include "passes/select/Overrides.h"
#include "passes/select/SkinnyProduct.h"

namespace kimi::passes {

/// Whether launches of `kernel` are calls of a library.
bool isLibraryCall(kernel::FuncOp kernel);

/// All products of `kernel`, at least one, each of bf16 by a weight of bf16. An error that says what else there is.
llvm::Expected<llvm::SmallVector<SkinnyProduct>> findLibraryProducts(kernel::FuncOp kernel);

/// The only one of `kernel`; an error also where there are more.
llvm::Expected<SkinnyProduct> findLibraryProduct(kernel::FuncOp kernel);

/// Whether `kernel` does nothing but `product`: its result is the sums, as they are or rounded to bf16.
bool isWholeKernel(kernel::FuncOp kernel, const SkinnyProduct &product);

/// Memory that a call may use, in bytes.
int64_t libraryWorkspace(const CudaTarget &target);

/// Kernels that became calls of a library (instantiateTemplates) become one call for each product, and a generated kernel
/// for what follows. Equal products are one kernel.
void splitLibraryCalls(mlir::ModuleOp module);

} // namespace kimi::passes
