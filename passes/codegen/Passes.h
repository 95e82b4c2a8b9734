// Passes of the codegen phase: kernel bodies → machine code.
#pragma once

#include "dialects/kernel/Kernel.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace kimi::passes {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "passes/codegen/Passes.h.inc"

/// Upstream interface implementations (tiling, bufferization, value bounds, LLVM translation) that codegen relies on.
void registerCodegenInterfaces(mlir::DialectRegistry &registry);

using kernel::kCodeAttr, kernel::kGridAttr, kernel::kKernelCodeAttr, kernel::kLaunchAttr;
/// Attributes of a GPU kernel's function: bytes of shared memory and of workspace per block.
inline constexpr llvm::StringLiteral kSharedBytesAttr = "kernel.shared_bytes";
inline constexpr llvm::StringLiteral kWorkspaceBytesAttr = "kernel.workspace_bytes";

} // namespace kimi::passes
