// What this process may use of the machine it runs on: processors, memory, and their limits by the container.
#pragma once

#include <cstdint>

namespace kimi::runtime {

/// Processors in the process's affinity mask, less where a container's quota is smaller. At least 1.
int usableThreads();

/// Bytes that can be allocated without swapping: the system's MemAvailable, less where a container allows
/// less.
uint64_t availableMemory();

} // namespace kimi::runtime
