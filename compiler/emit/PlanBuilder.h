// plan.fb from the plan dialect: one table per operation, in order. Thread rule: a plain function.
#pragma once

#include "compiler/emit/WeightStore.h"

#include "mlir/IR/BuiltinOps.h"

namespace kimi::emit {

/// The bytes of plan.fb. `code` are the files that hold the kernels, in the order of plan::codeFiles.
llvm::Expected<std::string> buildPlan(mlir::ModuleOp plan, const PackedWeights &weights,
                                      llvm::ArrayRef<FileRecord> code);

} // namespace kimi::emit
