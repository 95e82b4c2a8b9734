// Passes of the partition phase: a model becomes what each rank of a grid holds.
#pragma once

#include "mlir/Dialect/Shard/IR/ShardDialect.h"
#include "mlir/Dialect/Shard/IR/ShardOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"

namespace kimi::passes {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "passes/partition/Passes.h.inc"

/// Adds the passes of the phase, in order.
void addPartitionPasses(mlir::OpPassManager &passes);

} // namespace kimi::passes
