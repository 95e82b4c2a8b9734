// The rotary frequencies of #kimi.rope. Thread rule: a pure function.
#pragma once

#include "dialects/kimi/Kimi.h"

#include <vector>

namespace kimi::import_ {

/// The dim / 2 frequencies, in float32 and in the order of operations of the reference (transformers), so that
/// angles at large positions agree with it.
std::vector<float> ropeFrequencies(model::RopeAttr rope);

} // namespace kimi::import_
