// The kernel dialect: fused groups, their implementation, and structured bodies. See KernelOps.td.
#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/CallInterfaces.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/TilingInterface.h"

#include "dialects/kernel/KernelEnums.h.inc"

#include "dialects/kernel/KernelDialect.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/kernel/KernelAttrs.h.inc"

#include "dialects/kernel/KernelInterfaces.h.inc"

#define GET_OP_CLASSES
#include "dialects/kernel/KernelOps.h.inc"

namespace kimi::kernel {

inline constexpr int64_t kBlockTokens = 64;  // positions in one cache block
inline constexpr int64_t kNumDims = 16;      // entries of the dims array that kernels receive (runtime/README.md)
inline constexpr int64_t kPanelWidth = 16;   // output columns in one panel; also the lanes of a vector of f32

/// At most `most`.
inline int64_t largestDivisor(int64_t value, int64_t most) {
  int64_t divisor = std::max<int64_t>(std::min(value, most), 1);
  while (value % divisor != 0)
    --divisor;
  return divisor;
}

/// What codegen leaves. On every kernel.func: its grid, an array of #kernel.extent; its name in the code file; for a GPU, its
/// cubin's file name and #kernel.launch, or #kernel.matrix_product where a library is called instead. On the module, for a
/// CPU: the shared object's file name.
inline constexpr llvm::StringLiteral kGridAttr = "kernel.grid";
inline constexpr llvm::StringLiteral kSymbolAttr = "kernel.symbol";
inline constexpr llvm::StringLiteral kKernelCodeAttr = "kernel.code";
inline constexpr llvm::StringLiteral kLaunchAttr = "kernel.launch";
inline constexpr llvm::StringLiteral kProductAttr = "kernel.product";
inline constexpr llvm::StringLiteral kCodeAttr = "kimi.code";

/// The operations that a kernel holds, by name: an array of strings.
inline constexpr llvm::StringLiteral kOpsAttr = "kernel.ops";
/// Attribute on kernel arguments and results: one extent per `?`.
inline constexpr llvm::StringLiteral kDimsAttr = "kernel.dims";
/// Attribute on kernel arguments that are weights: the logical type (what the checkpoint says).
inline constexpr llvm::StringLiteral kWeightAttr = "kernel.weight";

} // namespace kimi::kernel
