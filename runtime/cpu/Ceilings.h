// What this machine's processors can do at most, measured: the ceilings that kernels are compared with.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/cpu/ThreadPool.h"

#include <cstdint>

namespace kimi::runtime {

/// Bytes per second all threads of the pool read together from memory: the best of several passes over a
/// buffer much larger than the caches. Takes about a second. Error: too little memory.
Expected<double> measureReadBandwidth(ThreadPool &pool);

/// Single-precision operations per second (a fused multiply-add is two) of all threads of the pool together,
/// with the widest vectors the processor has. Takes about half a second.
double measureFmaPeak(ThreadPool &pool);

} // namespace kimi::runtime
