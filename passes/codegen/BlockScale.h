// Sums whose terms share a factor over blocks of the sum: the products of quantised weights.
#pragma once

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace kimi::passes {

/// sum over k of a[k] * (q[k] * s[k / size]) is sum over blocks of s[block] * (sum over the block of a[k] * q[k]): one product
/// per block instead of one per element.
struct BlockScale {
  unsigned loop; // the reduction loop
  int64_t size;  // of a block
  mlir::OpOperand *operand;                       // what the factor is made of
  llvm::SmallVector<mlir::Operation *> factorOps; // how, in program order; empty: it is the operand itself
  mlir::Value factor;
  mlir::Operation *product; // q * factor
  mlir::Value unscaled;     // q

  bool makesFactor(mlir::Operation *inner) const { return llvm::is_contained(factorOps, inner); }
};

/// The factor of `op`'s only sum, if its terms are fma(a, q * factor, sum).
std::optional<BlockScale> findBlockScale(mlir::linalg::GenericOp op);

} // namespace kimi::passes
