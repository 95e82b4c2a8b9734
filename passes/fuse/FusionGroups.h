// Which operations of a function become one kernel.
#pragma once

#include "dialects/kimi/Kimi.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace kimi::passes {

struct FusionGroup {
  llvm::SmallVector<mlir::Operation *> ops; // in program order; the kernel runs where the first one stood
  bool isOpen = true;                       // elementwise operations may join
};

/// Groups of `function` in program order of their first operation. Every model operation is in exactly one, but for those
/// that are operands.
llvm::SmallVector<std::unique_ptr<FusionGroup>> formGroups(mlir::func::FuncOp function);

/// Whether `op` only views a tensor: such operations are repeated inside the kernels that read them.
bool isView(mlir::Operation *op);

/// Whether `op` is made of weights alone and repeated inside the kernels that read it.
bool isOperand(mlir::Operation *op);

} // namespace kimi::passes
