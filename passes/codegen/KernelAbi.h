// How a kernel's arguments reach its code: the two forms of the ABI in runtime/schema/artifact.fbs (table Kernel).
#pragma once

#include "dialects/kernel/Kernel.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <memory>

namespace kimi::passes {

/// Builds the function of a kernel and, inside it, the memrefs of its arguments and results.
class KernelAbi {
public:
  virtual ~KernelAbi() = default;

  /// The type of the function for a kernel with `numBuffers` arguments and results.
  virtual mlir::FunctionType type(mlir::MLIRContext *context, unsigned numBuffers) const = 0;
  /// Where `builder` stands in `function`: buffer `number` as a contiguous memref of `type`; `extents` fill its `?`.
  virtual mlir::Value memref(mlir::OpBuilder &builder, mlir::func::FuncOp function, unsigned number,
                             mlir::MemRefType type, llvm::ArrayRef<kernel::ExtentAttr> extents) const = 0;
};

/// CPU: (!llvm.ptr buffers, !llvm.ptr dims, i64 task).
std::unique_ptr<KernelAbi> createPointerAbi();
/// CUDA: (memref<16xi64> dims, memref<?xi8> buffer0, ..). The task is the block's number.
std::unique_ptr<KernelAbi> createBufferAbi();

} // namespace kimi::passes
