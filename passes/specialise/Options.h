// Entries of the module attribute kimi.options, checked. Thread rule: plain functions.
#pragma once

#include "mlir/IR/BuiltinOps.h"

namespace kimi::passes {

/// The integer `name`, at least 1, or `fallback` where it is absent; anything else is an error on the module.
mlir::FailureOr<int64_t> readPositiveOption(mlir::ModuleOp module, llvm::StringRef name, int64_t fallback);

/// The string `name`, one of `allowed`, or the first of them where it is absent.
mlir::FailureOr<std::string> readChoiceOption(mlir::ModuleOp module, llvm::StringRef name,
                                              llvm::ArrayRef<llvm::StringRef> allowed);

} // namespace kimi::passes
