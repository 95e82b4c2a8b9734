// Which CUDA targets a GPU can run: cuda:sm_XY and cuda:sm_XYa, where X.Y is a compute capability.
#pragma once

#include "runtime/cuda/Device.h"

namespace kimi::runtime::cuda {

/// Errors: not a CUDA target; code for another architecture than this GPU's. sm_80 code runs on 8.0 and
/// later 8.x; sm_90a code on 9.0 only.
Status checkTarget(std::string_view target, const DeviceProperties &device);

} // namespace kimi::runtime::cuda
