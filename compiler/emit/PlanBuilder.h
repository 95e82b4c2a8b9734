// plan.fb from the plan dialect: one table per operation, in order. Thread rule: a plain function.
#pragma once

#include "compiler/emit/WeightStore.h"

#include "mlir/IR/BuiltinOps.h"

namespace kimi::emit {

/// The bytes of plan.fb. `code` is the file that holds the kernels.
llvm::Expected<std::string> buildPlan(mlir::ModuleOp plan, const PackedWeights &weights, const FileRecord &code);

} // namespace kimi::emit
