// --weights=shapes: an artifact that says what its weights are like and holds none. The runtime fills memory with valid
// values when it loads: benchmarks of models larger than a disk. Thread rule: a plain function.
#pragma once

#include "compiler/emit/WeightStore.h"

namespace kimi::emit {

/// A file for every weight of `plan`, with the size it would have and no bytes.
PackedWeights shapeWeights(mlir::ModuleOp plan);

} // namespace kimi::emit
