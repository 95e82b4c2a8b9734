// What this GPU can do at most, measured: the ceiling that kernels are compared with.
#pragma once

#include "runtime/cuda/Device.h"

namespace kimi::runtime::cuda {

/// Bytes per second that a copy from device memory to device memory moves, reads and writes together: the
/// best of several copies much larger than the cache. Error: too little free memory.
Expected<double> measureCopyBandwidth(const Device &device);

} // namespace kimi::runtime::cuda
