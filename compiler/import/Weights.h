// Which weights a model has, under which checkpoint names and in which shapes; and whether a checkpoint has exactly
// those. Thread rule: plain functions.
#pragma once

#include "compiler/import/Checkpoint.h"
#include "compiler/import/ModelConfig.h"

#include "llvm/ADT/STLFunctionalExtras.h"

namespace kimi::import_ {

/// Part of a source matrix, as #kimi.rows.
struct RowRange {
  int64_t groups, of, begin, end;
};

/// One half of a quantised weight, as #kimi.quantised.
struct QuantisedHalf {
  bool isCodes;
  int64_t blockRows, blockColumns; // of one scale
  int64_t perElement = 1;          // values in one stored element: 8 nibbles in an int32
};

/// One kimi.weight: a tensor, or the tensors of one name pattern over layers and experts.
struct WeightSpec {
  std::string symbol;
  std::string source;           // {layer} and {expert} stand for numbers
  Shape sourceShape;            // of one tensor in the checkpoint
  int64_t firstLayer = 0, numLayers = 0; // numLayers 0: outside the layers
  int64_t experts = 0;          // 0: not per expert
  std::optional<RowRange> rows = std::nullopt;
  bool mayBeF32 = false;        // else BF16 only
  int64_t pitch = 0;            // with experts, by findPitches(): rows from one expert to the next; 0: not known
  bool isProjection = false;    // a matrix that formats may quantise
  std::optional<QuantisedHalf> quantised = std::nullopt;
  DataType type = DataType::BF16;

  /// The logical shape of one layer: experts first, row groups split off.
  Shape shape() const;
  /// Calls `see` with the name of every tensor, layer by layer, until it returns an error.
  llvm::Error forEachTensor(llvm::function_ref<llvm::Error(const std::string &name)> see) const;
};

/// "dense" or "moe": layers of one kind share one function and one family of weights.
struct LayerKind {
  std::string name;
  int64_t firstLayer, numLayers;
};
std::vector<LayerKind> listLayerKinds(const ModelConfig &config);

/// The weights of the model, none quantised.
std::vector<WeightSpec> listWeights(const ModelConfig &config);

/// The checkpoint's name of one tensor of a weight.
std::string nameOf(const WeightSpec &weight, int64_t layer, int64_t expert);

/// Every tensor of `weights` must be in the checkpoint in its shape and type, and nothing else, but for what is
/// passed over by rule; that is counted in `notes`. Sets the type of weights that may have two.
llvm::Error checkWeights(llvm::MutableArrayRef<WeightSpec> weights, const ModelConfig &config,
                         const CheckpointIndex &checkpoint, std::vector<std::string> &notes);

} // namespace kimi::import_
