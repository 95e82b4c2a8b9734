#include "runtime/engine/Profile.h"

namespace kimi::runtime {

Profile::Profile(const artifact::Rank &rank) : rank(rank) {
  if (rank.kernels())
    for (const artifact::Kernel *kernel : *rank.kernels())
      kernels.push_back({.name = kernel->name()->string_view()});
}

void Profile::clear() {
  for (KernelTime &kernel : kernels)
    kernel = {.name = kernel.name};
}

void Profile::record(uint32_t kernel, double seconds, const Dims &dims) {
  const artifact::Kernel &planned = *rank.kernels()->Get(kernel);
  KernelTime &time = kernels[kernel];
  ++time.launches;
  time.seconds += seconds;
  time.bytes += cost(planned.bytes(), dims);
  time.flops += cost(planned.flops(), dims);
}

std::vector<KernelTime> Profile::times() const {
  std::vector<KernelTime> ran;
  for (const KernelTime &kernel : kernels)
    if (kernel.launches > 0)
      ran.push_back(kernel);
  return ran;
}

} // namespace kimi::runtime
