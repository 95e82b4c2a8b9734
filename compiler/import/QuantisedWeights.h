// Which weights of a checkpoint are quantised, and whether their tensors belong together. Thread rule: plain functions.
#pragma once

#include "compiler/import/Weights.h"

#include "llvm/ADT/StringSet.h"

namespace kimi::import_ {

/// Replaces every weight that the checkpoint holds in the config's format by two: `W`, its codes, and `W.scales`. Without a
/// checkpoint every weight counts as quantised that the config does not exclude. The first tensor of a weight decides for
/// all its layers and experts. An error where the checkpoint quantises what the config, or this compiler, does not allow.
llvm::Expected<std::vector<WeightSpec>> quantiseWeights(std::vector<WeightSpec> weights, const ModelConfig &config,
                                                        const CheckpointIndex *checkpoint);

/// "w4a16" if any weight is int4, else "w8a16" if any is fp8, else "bf16".
std::string profileOf(llvm::ArrayRef<WeightSpec> weights);

/// Whether a weight holds several values per element; `weight_shape` then says how many there are.
bool holdsPackedValues(const WeightSpec &weight);
std::string shapeTensorOf(llvm::StringRef packedName);
/// Reads `weight_shape` beside the packed tensor `name`: it must say what config.json asks for.
llvm::Error checkShapeTensor(const WeightSpec &weight, llvm::StringRef name, const CheckpointIndex &checkpoint);

/// An error that says so where `name` is scales, or a shape, of a weight that has no codes.
llvm::Error checkStrayScale(llvm::StringRef name, const llvm::StringSet<> &expected, const CheckpointIndex &checkpoint);

} // namespace kimi::import_
