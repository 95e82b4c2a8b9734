// A checkpoint that nobody has: every tensor that a model needs, with random values. For benchmarks, from config.json
// alone. Thread rule: a value.
#pragma once

#include "compiler/import/Weights.h"

namespace kimi::import_ {

/// Tensors whose values are drawn alike. They lie one after another in a file that is nowhere.
struct RandomKind {
  DataType type;
  double low = -1, high = 1; // values are uniform between these; integers take any bits
  std::string name() const;  // "random BF16 from -0.02 to 0.02"
};

struct InventedCheckpoint {
  CheckpointIndex index;
  std::vector<RandomKind> kinds; // of the index's files
};

/// Matrices are scaled so that what leaves them is about as large as what enters: [.., K] gets a variance of 1 / K. In fp8
/// and int4 codes are numbers drawn alike everywhere, and scales see to that; scales stand behind their codes in `weights`.
/// Vectors (the factors of norms, the router's bias) are near 1: as factors they change little, as a bias they favour
/// no expert. So hidden states and logits are finite at any depth.
InventedCheckpoint inventCheckpoint(llvm::ArrayRef<WeightSpec> weights);

/// The same for the config.json that `path` is, or that lies in it.
llvm::Expected<InventedCheckpoint> inventCheckpoint(const std::string &path);

} // namespace kimi::import_
