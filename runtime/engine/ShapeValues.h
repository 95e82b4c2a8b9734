// Values for weights of which an artifact holds the shape only (kimic --weights=shapes): valid codes of a sane size, so that
// a benchmark computes with numbers. The model means nothing.
#pragma once

#include "runtime/base/HostBuffer.h"
#include "runtime/schema/artifact_generated.h"

#include <vector>

namespace kimi::runtime {

/// Fills the slices of `rank`'s weights that lie in `shapes` (indexed as the plan's files; empty: another kind of file).
/// Codes are pseudo-random: f8e4m3 no NaN, |x| in [0.5, 2); bf16 matrices |x| in [1/64, 1/32); f32 matrices (scales, rotary
/// table) 1/64; vectors (norms) 1, and f32 vectors (biases) 0.
void fillShapes(const artifact::Rank &rank, const std::vector<HostBuffer> &shapes, int numThreads);

} // namespace kimi::runtime
