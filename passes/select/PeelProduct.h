// One kernel becomes two: a matrix product, and all else. Thread rule: plain functions.
#pragma once

#include "passes/select/SkinnyProduct.h"

#include "mlir/IR/BuiltinOps.h"

namespace kimi::passes {

/// Moves `product` of `kernel` into a kernel of its own, whose result is the sums in f32; `kernel` reads them as its last
/// argument, and every call of it in `module` is preceded by one of the new kernel, which is returned.
kernel::FuncOp peelProduct(mlir::ModuleOp module, kernel::FuncOp kernel, const SkinnyProduct &product,
                           mlir::SymbolTable &symbols);

} // namespace kimi::passes
