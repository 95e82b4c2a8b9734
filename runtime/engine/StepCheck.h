// Is a step safe to run? Kernels follow the inputs' indices without looking, so every one is checked before.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/kimi.h"

namespace kimi::runtime {

/// `limits` are the capacities of the buffers. Errors name the field, the value and the limit. Costs one pass
/// over the inputs; allocates only for an error.
Status checkStep(const StepInputs &inputs, const Limits &limits, const ModelInfo &model);

} // namespace kimi::runtime
