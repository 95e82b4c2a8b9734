// Values for weights of which an artifact holds the shape only (kimic --weights=shapes): valid codes of a sane size, so that
// a benchmark computes with numbers. The model means nothing.
#pragma once

#include "runtime/schema/artifact_generated.h"

#include <cstddef>
#include <span>

namespace kimi::runtime {

/// Fills `memory`, which holds all slices of `weight`. Codes are pseudo-random: f8e4m3 no NaN, |x| in [0.5, 2); bf16 matrices
/// |x| in [1/64, 1/32); f32 matrices (scales, rotary table) 1/64; vectors (norms) 1, and f32 vectors (biases) 0.
void fillShape(const artifact::Weight &weight, std::span<std::byte> memory, int numThreads);

} // namespace kimi::runtime
