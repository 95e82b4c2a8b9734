// Writes the function of one kind of layer: attention, then a dense MLP or experts. Thread rule: one owner.
#pragma once

#include "compiler/import/OpEmitter.h"
#include "compiler/import/Weights.h"

namespace kimi::import_ {

class LayerBuilder {
public:
  LayerBuilder(OpEmitter &emit, const ModelConfig &config, const LayerKind &kind)
      : emit(emit), config(config), kind(kind) {}

  /// Writes `func.func private @<kind>_layer(%h, %layer) -> %h` where the emitter's builder stands.
  void build();

private:
  /// Emits a load: never two in one argument list, whose order of evaluation is the compiler's.
  mlir::Value weight(const std::string &suffix) { return emit.loadWeight(kind.name + "." + suffix, layer); }
  /// The normed input of attention to the residual after it.
  mlir::Value buildAttention(mlir::Value hidden);
  mlir::Value buildQuery(mlir::Value x);
  void buildCacheWrite(mlir::Value x, mlir::Value cache, mlir::Value positions, mlir::Value table);
  /// down(swiglu(gate, up)) of the weights `<kind>.<prefix>gate_proj` .., in f32.
  mlir::Value buildMlp(mlir::Value x, const std::string &prefix);
  mlir::Value buildExperts(mlir::Value x);

  OpEmitter &emit;
  const ModelConfig &config;
  const LayerKind &kind;
  mlir::Value layer;
};

} // namespace kimi::import_
