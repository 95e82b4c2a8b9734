// Passes of the specialise phase: one step function becomes entries, one per token bucket.
#pragma once

#include "dialects/kimi/Kimi.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"

namespace kimi::passes {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "passes/specialise/Passes.h.inc"

/// Adds the passes of the phase, in order.
void addSpecialisePasses(mlir::OpPassManager &passes);

} // namespace kimi::passes
