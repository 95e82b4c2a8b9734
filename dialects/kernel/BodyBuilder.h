// Small vocabulary for writing bodies: sizes, fills, generics. Used by the bodies of kimi operations and by the loops
// of structured kernel operations.
#pragma once

#include "dialects/kernel/Kernel.h"

#include <functional>

namespace kimi::kernel {

class BodyBuilder {
public:
  BodyBuilder(mlir::OpBuilder &builder, mlir::Location loc) : b(builder), loc(loc) {}

  using Payload = std::function<mlir::Value(BodyBuilder &, mlir::ValueRange)>;

  mlir::Value index(int64_t value);
  mlir::Value f32(double value);
  mlir::Value i32(int64_t value);
  mlir::Value dim(mlir::Value shaped, int64_t dimension);
  mlir::Value toIndex(mlir::Value integer);
  mlir::Value toI32(mlir::Value index);
  /// Widens bf16 and f8E4M3FN to f32; f32 stays.
  mlir::Value widen(mlir::Value value);
  mlir::Value empty(llvm::ArrayRef<mlir::OpFoldResult> sizes, mlir::Type element);
  mlir::Value filled(llvm::ArrayRef<mlir::OpFoldResult> sizes, mlir::Value scalar);
  llvm::SmallVector<mlir::OpFoldResult> sizes(mlir::Value tensor);

  /// A linalg.generic over the loops (d0, d1, ..): `maps[i]` lists the loops of input i, `outMap` those of the
  /// result; loops missing from outMap reduce. The payload sees input elements, then the accumulator.
  mlir::Value generic(mlir::ValueRange inputs, llvm::ArrayRef<llvm::SmallVector<unsigned>> maps, mlir::Value init,
                      llvm::ArrayRef<unsigned> outMap, unsigned numLoops, const Payload &payload);
  /// One output element per element of `init`; inputs all have its shape.
  mlir::Value elementwise(mlir::ValueRange inputs, mlir::Value init, const Payload &payload);
  /// The rank-reduced slice tensor[offsets.., :] with the leading `offsets.size()` sizes fixed at one.
  mlir::Value row(mlir::Value tensor, llvm::ArrayRef<mlir::OpFoldResult> offsets);

  mlir::OpBuilder &b;
  mlir::Location loc;
};

} // namespace kimi::kernel
