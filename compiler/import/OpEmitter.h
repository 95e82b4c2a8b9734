// Emits operations of the model. The numeric profile lives here: `round` is an operation under "bf16" and nothing
// under "f32". Thread rule: one owner.
#pragma once

#include "compiler/import/ModelConfig.h"
#include "dialects/kimi/Kimi.h"

#include "mlir/IR/Builders.h"

namespace kimi::import_ {

class OpEmitter {
public:
  /// `storage` is the type of activations and caches: bf16, or f32 where nothing is rounded.
  OpEmitter(mlir::ModuleOp module, mlir::Type storage)
      : builder(module.getContext()), module(module), storage(storage) {}

  mlir::Type getStorage() const { return storage; }
  mlir::RankedTensorType activationType(int64_t columns, mlir::Type element) const;

  /// The weight's values: of a quantised one, codes times scales.
  mlir::Value loadWeight(const std::string &symbol, mlir::Value layer = {});
  mlir::Value stepInput(model::StepInput input, int64_t vocabulary = 32);
  mlir::Value constantIndex(int64_t value);

  mlir::Value round(mlir::Value x);
  /// Rounded.
  mlir::Value rmsNorm(mlir::Value x, mlir::Value weight, double eps);
  mlir::Value rope(mlir::Value x, mlir::Value positions, mlir::Value table);
  /// In f32.
  mlir::Value linear(mlir::Value x, mlir::Value weight);
  mlir::Value add(mlir::Value lhs, mlir::Value rhs);
  mlir::Value swiglu(mlir::Value gate, mlir::Value up);

  /// Elements [begin, begin + size) of the last dimension.
  mlir::Value sliceLast(mlir::Value x, int64_t begin, int64_t size);
  /// [T, heads * size] as [T, heads, size], and back.
  mlir::Value splitHeads(mlir::Value x, int64_t heads);
  mlir::Value joinHeads(mlir::Value x);

  mlir::Location loc() { return builder.getUnknownLoc(); }

  mlir::OpBuilder builder;

private:
  mlir::OpFoldResult leadingSize(mlir::Value x);

  mlir::ModuleOp module;
  mlir::Type storage;
};

} // namespace kimi::import_
