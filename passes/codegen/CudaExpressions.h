// Scalar operations of arith and math as C++ expressions.
#pragma once

#include "mlir/IR/Operation.h"

#include <optional>
#include <string>

namespace kimi::passes {

/// The type's name in CUDA C++ (compiler/kernels/cuda/prelude.cuh); nothing where it has none.
std::optional<std::string> cudaType(mlir::Type type);

/// A constant as a literal; nothing where it is no number.
std::optional<std::string> cudaLiteral(mlir::Attribute value);

/// The expression of a pure scalar operation over the texts of its operands; nothing where it has no form.
std::optional<std::string> cudaExpression(mlir::Operation *op, llvm::ArrayRef<std::string> operands);

} // namespace kimi::passes
