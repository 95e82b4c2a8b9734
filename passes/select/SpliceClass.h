// Which splice class (compiler/kernels/cuda/splice.cuh) the code behind a kernel's product has. Thread rule: plain functions.
#pragma once

#include "passes/select/SkinnyProduct.h"

namespace kimi::passes {

/// Columns that share one scale.
inline constexpr int64_t kScaleBlock = 128;

/// out[t, b] = the largest of `init` and f(source[t, 128 b + j]), 0 <= j < 128: a reduction in which order plays no role.
struct BlockMaximum {
  mlir::Value source;
  mlir::tensor::ExtractOp element; // of the source, in the body
  mlir::TypedAttr init;
};

/// `op` as a maximum over blocks of a row whose size 128 divides; nothing where it is none.
std::optional<BlockMaximum> matchBlockMaximum(mlir::linalg::GenericOp op);

/// (t, n) -> (t, n floordiv 128).
bool isBlockMap(mlir::AffineMap map);

/// The class and width of what follows `product` in `kernel`, its text still to come:
///
///   from the product to every result                          | one weight  | two weights
///   ----------------------------------------------------------|-------------|------------
///   elementwise [t, n]                                        | element     | pair
///   also maxima over 128 columns, and elementwise [t, n / 128] | block of 128 | block of 256
///
/// An error that names the kernel, the operation and what to peel, where it is none of these.
llvm::Expected<cuda::Splice> classifyEpilogue(kernel::FuncOp kernel, const SkinnyProduct &product);

} // namespace kimi::passes
