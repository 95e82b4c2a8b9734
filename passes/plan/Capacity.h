// How large things are in a full step of an entry. Thread rule: plain functions.
#pragma once

#include "dialects/plan/Plan.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace kimi::passes {

/// Null where the function is no entry.
model::EntryAttr entryAttrOf(mlir::func::FuncOp function);

/// From the entry's attribute and the module's model and options. Null after an error.
plan::CapacityAttr capacityOf(mlir::func::FuncOp entry);

/// Bytes of a tensor whose `?` are `dims`, in a full step. An error at `op`, which calls it `what`, where the size
/// depends on something only the runtime knows, or is absurd.
mlir::FailureOr<int64_t> bytesOf(mlir::Operation *op, const llvm::Twine &what, mlir::RankedTensorType type,
                                 llvm::ArrayRef<kernel::ExtentAttr> dims, plan::CapacityAttr capacity);

} // namespace kimi::passes
