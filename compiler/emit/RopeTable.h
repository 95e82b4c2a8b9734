// The table of cosines and sines that kimi.rope reads. Thread rule: a pure function.
#pragma once

#include "dialects/kimi/Kimi.h"

#include <vector>

namespace kimi::emit {

/// [positions, 2, dim / 2]: cosines, then sines of every position. The angle is a float32 product of float32 position
/// and float32 frequency, as in the reference: at large positions its rounding is part of the model.
std::vector<float> ropeTable(model::RopeAttr rope, int64_t positions);

} // namespace kimi::emit
