// A memref in CUDA C++ text: a pointer, and how indices lead from it to elements. Sizes, strides and indices are texts.
#pragma once

#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "llvm/ADT/SmallBitVector.h"

#include <string>

namespace kimi::passes {

using CudaTexts = llvm::SmallVector<std::string>;

struct CudaPointer {
  std::string name;         // of the first element's address
  CudaTexts sizes, strides; // in elements

  /// Row-major, without holes.
  static CudaPointer contiguous(std::string name, CudaTexts sizes);

  /// Elements from the first to that at `indices`: their products with the strides, "0" dropped.
  std::string offset(llvm::ArrayRef<std::string> indices) const;
  std::string element(llvm::ArrayRef<std::string> indices) const { return name + "[" + offset(indices) + "]"; }

  /// A part of it that begins at `pointer`, without the dimensions in `dropped`.
  CudaPointer part(std::string pointer, llvm::ArrayRef<std::string> sizes, llvm::ArrayRef<std::string> steps,
                   const llvm::SmallBitVector &dropped) const;
  /// The same elements with each dimension split as `groups` says, or with groups of dimensions joined.
  CudaPointer expanded(llvm::ArrayRef<mlir::ReassociationIndices> groups, llvm::ArrayRef<std::string> sizes) const;
  CudaPointer collapsed(llvm::ArrayRef<mlir::ReassociationIndices> groups) const;
};

} // namespace kimi::passes
