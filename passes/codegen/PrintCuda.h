// A kernel's function as readable CUDA C++.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <string>

namespace kimi::passes {

/// The text of `func`, after compiler/kernels/cuda/prelude.cuh. `func` is in the form that codegen leaves for a GPU:
/// scf, arith, math and memref, gpu.thread_id, block_id, barrier, shuffle and dynamic_shared_memory, no affine, no
/// linalg. An operation or type that has no form here is an error that names it and the kernel.
mlir::FailureOr<std::string> printCuda(mlir::func::FuncOp func);

/// The body of `func` alone, as the inside of a function at `depth`; its arguments are called `names`.
mlir::FailureOr<std::string> printCudaBody(mlir::func::FuncOp func, llvm::ArrayRef<std::string> names, unsigned depth);

/// The text that every kernel begins with.
llvm::StringRef cudaPrelude();

} // namespace kimi::passes
