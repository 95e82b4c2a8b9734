// Weights that stay in the checkpoint's own files, and kernels that read them there.
#pragma once

#include "dialects/kernel/Kernel.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

namespace kimi::passes {

using KernelArgument = std::pair<kernel::FuncOp, unsigned>; // kernel, argument number
/// kimi.weight → the arguments of kernels that read it.
using WeightReaders = llvm::MapVector<mlir::Operation *, llvm::SetVector<KernelArgument>>;

/// Gives every weight the layout it has in the checkpoint, row-major or strided, and lets kernels slice it.
mlir::LogicalResult readWeightsInPlace(const WeightReaders &readers);

} // namespace kimi::passes
