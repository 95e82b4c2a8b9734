// Passes of the plan phase: kernel calls on tensors → launches on byte offsets.
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"

namespace kimi::passes {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "passes/plan/Passes.h.inc"

/// The whole phase, in order.
void addPlanPasses(mlir::OpPassManager &passes);

} // namespace kimi::passes
