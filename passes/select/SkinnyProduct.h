// Products that the CUDA template skinny_gemm (compiler/kernels/cuda/SkinnyGemm.h) can compute, found in a kernel by
// their structure. Thread rule: plain functions.
#pragma once

#include "compiler/kernels/cuda/SkinnyGemm.h"
#include "dialects/kernel/Kernel.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace kimi::passes {

/// A second product of the same activations with a weight of the same form: gate and up.
struct SkinnyTwin {
  mlir::linalg::GenericOp op;
  unsigned weight; // the kernel's arguments
  std::optional<unsigned> scales;
};

/// out[t, n] = sum over k of x[t, k] * w[n, k], with w and x as the kernel's arguments hold them, row-major.
struct SkinnyProduct {
  mlir::linalg::GenericOp op;
  unsigned weight, activations;                     // the kernel's arguments
  std::optional<unsigned> weightScales, tokenScales; // f32; of e4m3 operands
  kernel::DimSymbol rows;                           // whose number the rows of x are
  int64_t columns, depth;                           // N, K
  cuda::SkinnyFormat format;
  std::optional<SkinnyTwin> twin;
  cuda::Splice epilogue; // class and width of what follows, without its text

  /// The template's problem for launches of at most `mostRows` rows.
  cuda::SkinnyProblem problem(int64_t mostRows) const;
  /// One, or two of twins.
  llvm::SmallVector<mlir::linalg::GenericOp> operations() const;
  /// The kernel's arguments that the template reads itself.
  llvm::SmallVector<unsigned> arguments() const;
};

/// All such products of `kernel`, in order, each by itself: without twin and epilogue.
llvm::SmallVector<SkinnyProduct> findSkinnyProducts(kernel::FuncOp kernel);

/// The only one of `kernel`, or its only two, with what follows up to the kernel's results; an error that says why there is
/// none, or what follows that can be no epilogue (SpliceClass.h).
llvm::Expected<SkinnyProduct> findSkinnyProduct(kernel::FuncOp kernel);

} // namespace kimi::passes
