// Passes of the select phase: implementation, weight layouts, cost.
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace kimi::passes {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "passes/select/Passes.h.inc"

} // namespace kimi::passes
