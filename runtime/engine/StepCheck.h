// Is a step safe to run? Kernels follow the inputs' indices without looking, so every one is checked before.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/kimi.h"

namespace kimi::runtime {

/// Everything but the block tables. `limits` are the capacities of the buffers. Errors name the field, the
/// value and the limit. Costs one pass over the inputs; allocates only for an error.
Status checkStep(const StepInputs &inputs, const Limits &limits, const ModelInfo &model);

/// The first `columns` of the block table's rows: what kernels will follow of it. The step has passed checkStep.
Status checkBlockTables(const StepInputs &inputs, const Limits &limits, int64_t columns);

} // namespace kimi::runtime
