// Weights that stay where they are (--weights=reference): how experts lie in the checkpoint's files. Thread rule: plain
// functions.
#pragma once

#include "compiler/import/Weights.h"

namespace kimi::import_ {

/// Sets the pitch of every weight with experts. An error names the first whose experts do not lie in one file at equal
/// distances of whole rows, the same in every layer: no kernel can read them where they are.
llvm::Error findPitches(llvm::MutableArrayRef<WeightSpec> weights, const CheckpointIndex &checkpoint);

} // namespace kimi::import_
