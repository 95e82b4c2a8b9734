// Products that the CUDA template skinny_gemm (compiler/kernels/cuda/SkinnyGemm.h) can compute, found in a kernel by
// their structure. Thread rule: plain functions.
#pragma once

#include "compiler/kernels/cuda/SkinnyGemm.h"
#include "dialects/kernel/Kernel.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace kimi::passes {

/// out[t, n] = sum over k of x[t, k] * w[n, k], with w and x as the kernel's arguments hold them, row-major.
struct SkinnyProduct {
  mlir::linalg::GenericOp op;
  unsigned weight, activations;                     // the kernel's arguments
  std::optional<unsigned> weightScales, tokenScales; // f32; of e4m3 operands
  kernel::DimSymbol rows;                           // whose number the rows of x are
  int64_t columns, depth;                           // N, K
  cuda::SkinnyFormat format;

  /// The template's problem for launches of at most `mostRows` rows.
  cuda::SkinnyProblem problem(int64_t mostRows) const;
};

/// All such products of `kernel`, in order.
llvm::SmallVector<SkinnyProduct> findSkinnyProducts(kernel::FuncOp kernel);

/// The only one of `kernel`; an error that says why there is none, or what follows it that can be no epilogue: all else
/// must be elementwise, from the product to the kernel's only result [t, n].
llvm::Expected<SkinnyProduct> findSkinnyProduct(kernel::FuncOp kernel);


} // namespace kimi::passes
