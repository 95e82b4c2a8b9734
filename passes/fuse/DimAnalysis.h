// Which run-time size stands behind each `?` of a function's values.
#pragma once

#include "dialects/kimi/Kimi.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace kimi::passes {

class DimAnalysis {
public:
  /// Function arguments and call results with a `?` are activations: their first size is the number of tokens.
  explicit DimAnalysis(mlir::func::FuncOp function);
  const model::Extents &of(mlir::Value value) const;

private:
  void visit(mlir::Operation &op);
  llvm::DenseMap<mlir::Value, model::Extents> dims;
};

} // namespace kimi::passes
