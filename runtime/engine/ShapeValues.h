// Values for weights of which an artifact holds the shape only (kimic --weights=shapes): valid codes of a sane size, so that
// a benchmark computes with numbers. The model means nothing.
#pragma once

#include "runtime/schema/artifact_generated.h"

#include <cstddef>
#include <span>

namespace kimi::runtime {

/// Fills `memory`, which holds all slices of `weight`. 8-bit integers are any; f8e4m3 is no NaN, |x| in [0.5,
/// 2); bf16 and f16 matrices are |x| in [1/64, 1/32), all of these pseudo-random; f32 matrices (scales,
/// rotary table) 1/64; vectors (norms) 1, but f32 vectors (biases) 0; larger integers 0. A last part of less
/// than 8 bytes stays as it is.
void fillShape(const artifact::Weight &weight, std::span<std::byte> memory, int numThreads);

} // namespace kimi::runtime
