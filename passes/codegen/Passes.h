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

/// Attribute of kernels after tiling: one #kernel.extent per grid dimension.
inline constexpr llvm::StringLiteral kGridAttr = "kernel.grid";
/// Attributes of a GPU kernel's function: bytes of shared memory and of workspace per block.
inline constexpr llvm::StringLiteral kSharedBytesAttr = "kernel.shared_bytes";
inline constexpr llvm::StringLiteral kWorkspaceBytesAttr = "kernel.workspace_bytes";
/// Attributes of kernels after codegen for a GPU: the cubin's file name; {threads, shared_bytes}.
inline constexpr llvm::StringLiteral kKernelCodeAttr = "kernel.code";
inline constexpr llvm::StringLiteral kLaunchAttr = "kernel.launch";
/// Module attribute after codegen for a CPU: the shared object's file name.
inline constexpr llvm::StringLiteral kCodeAttr = "kimi.code";

} // namespace kimi::passes
