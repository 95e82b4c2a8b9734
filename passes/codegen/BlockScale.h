// Sums whose terms share a factor over blocks of the sum: the products of quantised weights.
#pragma once

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace kimi::passes {

/// One of the two sides of a term: q * factor, the factor the same over a block.
struct BlockFactor {
  mlir::OpOperand *operand;                // what the factor is made of
  llvm::SmallVector<mlir::Operation *> ops; // how, in program order; empty: it is the operand itself
  mlir::Value factor;
  mlir::Operation *product; // q * factor
  mlir::Value unscaled;     // q
};

/// sum over k of a[k] * (q[k] * s[k / size]) is sum over blocks of s[block] * (sum over the block of a[k] * q[k]): one product
/// per block instead of one per element. Where a[k] is such a product, too, its factor leaves the sum as well.
struct BlockScale {
  unsigned loop; // the reduction loop
  int64_t size;  // of a block
  llvm::SmallVector<BlockFactor, 2> factors;

  bool makesFactor(mlir::Operation *inner) const;
  bool isOperand(mlir::OpOperand *operand) const;
  /// The factor whose product `inner` is, or null.
  const BlockFactor *factorOf(mlir::Operation *inner) const;
};

/// The factors of `op`'s only sum, if its terms are fma(a, q * factor, sum).
std::optional<BlockScale> findBlockScale(mlir::linalg::GenericOp op);

} // namespace kimi::passes
