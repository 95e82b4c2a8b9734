// The plan dialect: what one rank executes, one operation per table of runtime/schema/artifact.fbs. See PlanOps.td.
#pragma once

#include "dialects/kimi/Kimi.h"

#include <optional>

#include "dialects/plan/PlanDialect.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/plan/PlanAttrs.h.inc"

#define GET_OP_CLASSES
#include "dialects/plan/PlanOps.h.inc"

namespace kimi::plan {

/// Offsets of arena buffers are multiples of this: a cache line, and the widest vector of any target.
inline constexpr int64_t kArenaAlignment = 64;

/// Of what a library may use as it likes (cublasLtMatmul: 256 bytes).
inline constexpr int64_t kWorkspaceAlignment = 256;

/// Marks between the passes of the phase `plan` (see passes/plan/Passes.td). On a kernel.call and a func.call: where
/// each result lies. On a function's tensor argument: where it lies. On an entry: the size of its arena, its capacity.
inline constexpr llvm::StringLiteral kResultBuffersAttr = "plan.results";
inline constexpr llvm::StringLiteral kArgumentBufferAttr = "plan.argument";
inline constexpr llvm::StringLiteral kArenaBytesAttr = "plan.arena_bytes";
inline constexpr llvm::StringLiteral kCapacityAttr = "plan.capacity";

using kernel::kCodeAttr, kernel::kGridAttr, kernel::kKernelCodeAttr, kernel::kLaunchAttr, kernel::kProductAttr,
    kernel::kSymbolAttr;

/// The files of machine code that `module` names, each once: after codegen or plan.
llvm::SmallVector<std::string> codeFiles(mlir::ModuleOp module);

/// Whether the schema's DataType can say it.
bool isStorageType(mlir::Type type);

} // namespace kimi::plan
