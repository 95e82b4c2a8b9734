// What index expressions of a linalg.generic are worth inside loops that run over blocks.
#pragma once

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <map>

namespace kimi::passes {

/// The expression of `apply` over the loops of the generic around it; nothing where an operand is no loop's index.
std::optional<mlir::AffineExpr> exprOverLoops(mlir::affine::AffineApplyOp apply);

class LoopPositions {
public:
  /// Collects the block sizes by which `op` indexes its loops: `loop floordiv size`, `loop mod size`.
  explicit LoopPositions(mlir::linalg::GenericOp op);

  /// Largest first.
  llvm::ArrayRef<int64_t> blocksOf(unsigned loop) const { return blocks[loop]; }

  /// The running block of `size` begins at `first`: `loop floordiv size` need not be computed inside.
  void enterBlock(unsigned loop, int64_t size, mlir::Value first) { firsts[{loop, size}] = first; }
  /// The running index is a block's first plus `offset`: `loop mod size` is known.
  void enterRemainder(unsigned loop, int64_t size, int64_t offset) { remainders[{loop, size}] = offset; }
  void leaveRemainder(unsigned loop, int64_t size) { remainders.erase({loop, size}); }

  /// The value of `expr`; `indexOf` gives the running index of a loop.
  mlir::Value evaluate(mlir::OpBuilder &builder, mlir::Location loc, mlir::AffineExpr expr,
                       llvm::function_ref<mlir::Value(unsigned)> indexOf);

private:
  using Block = std::pair<unsigned, int64_t>; // loop, size

  void collect(mlir::AffineExpr expr);

  llvm::SmallVector<llvm::SmallVector<int64_t, 2>> blocks;
  std::map<Block, mlir::Value> firsts;
  std::map<Block, int64_t> remainders;
};

} // namespace kimi::passes
