// Time per kernel, summed over steps. Recording allocates nothing. Thread rule: the engine's.
#pragma once

#include "runtime/engine/Dims.h"
#include "runtime/kimi.h"

#include <vector>

namespace kimi::runtime {

class Profile {
public:
  /// `rank` outlives the profile.
  explicit Profile(const artifact::Rank &rank);

  void clear();
  void record(uint32_t kernel, double seconds, const Dims &dims);

  /// The kernels that ran, in the plan's order.
  std::vector<KernelTime> times() const;

private:
  const artifact::Rank &rank;
  std::vector<KernelTime> kernels; // as in the plan
};

} // namespace kimi::runtime
