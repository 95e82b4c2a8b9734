// A cubin on the device, and the kernels in it. Owner: unloads when destroyed.
#pragma once

#include "runtime/cuda/Launch.h"

#include <span>

namespace kimi::runtime::cuda {

/// What a kernel takes that its cubin knows.
struct KernelResources {
  uint32_t maxThreads = 0;        // per block, by its registers and launch bounds
  uint32_t staticSharedBytes = 0; // per block, beside what a launch asks for
  uint32_t localBytes = 0;        // per thread: spills and arrays
};

class Module {
public:
  /// `name` is for messages. `image` is verified. Errors: not a cubin, code for another architecture.
  static Expected<Module> load(const Device &device, std::span<const std::byte> image,
                               const std::string &name);

  /// Finds a kernel and lets it have its shared memory. `kernel` comes with everything but its function.
  /// Errors: the cubin does not define it; more threads or shared memory than the device or the kernel
  /// allows; clusters where there are none.
  Expected<KernelResources> find(const Device &device, const char *symbol, KernelHandle &kernel) const;

private:
  Owned<CUmodule> handle;
  std::string fileName;
};

} // namespace kimi::runtime::cuda
