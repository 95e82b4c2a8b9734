// Which call runs which copy of a kernel: entries of like size share a tuned copy. Thread rule: plain functions.
#pragma once

#include "passes/select/Overrides.h"
#include "passes/select/Templates.h"

#include "mlir/IR/BuiltinOps.h"

namespace kimi::passes {

/// Why an implementation served no kernel: the last one's refusal, or that none was tried.
using Refusals = llvm::StringMap<std::string>;

/// For every entry and kernel that a template accepts, and `overrides` allow, a copy NAME_uptoN (of a library NAME_over128)
/// of the kernel with the template's implementation, and copies of the functions on the way to it. What nobody calls any more is erased.
/// Returns the implementations that served none.
Refusals instantiateTemplates(mlir::ModuleOp module, llvm::ArrayRef<std::unique_ptr<Template>> templates,
                              const Overrides &overrides);

} // namespace kimi::passes
