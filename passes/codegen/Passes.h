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
/// Module attribute after codegen: the shared object's file name.
inline constexpr llvm::StringLiteral kCodeAttr = "kimi.code";

} // namespace kimi::passes
