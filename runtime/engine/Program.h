// One entry, resolved at load into flat lists: blocks are expanded per layer, every argument is an address.
// Running it is: for each launch, compute the grid and run its tasks. Running allocates nothing.
#pragma once

#include "runtime/cpu/Code.h"
#include "runtime/cpu/ThreadPool.h"
#include "runtime/engine/Artifact.h"
#include "runtime/engine/Dims.h"
#include "runtime/engine/Profile.h"
#include "runtime/engine/StepTable.h"

#include <vector>

namespace kimi::runtime {

/// Where things are in memory. All of it outlives the programs.
struct Addresses {
  const Artifact &artifact;
  const StepTable &table;
  std::byte *arena = nullptr;
  std::vector<std::byte *> caches;       // as in the plan
  std::vector<uint64_t> cacheLayerBytes; // as in the plan
  std::vector<KernelFunction> functions; // as the plan's kernels
};

class Program {
public:
  /// `entry` has passed checkPlan, so every index in it is good.
  Program(const artifact::Entry &entry, const Addresses &addresses);

  /// `profile` may be null.
  void run(ThreadPool &pool, const Dims &dims, Profile *profile) const;

private:
  struct LaunchRecord {
    KernelFunction function;
    uint32_t kernel;
    uint32_t firstArgument; // into arguments
    uint32_t firstExtent;   // into extents
    uint32_t numExtents;
  };

  void addLaunch(const artifact::Launch &launch, uint32_t layer, const Addresses &addresses);
  int64_t numTasks(const LaunchRecord &launch, const Dims &dims) const;

  std::vector<LaunchRecord> launches;
  std::vector<void *> arguments;
  std::vector<artifact::Extent> extents;
};

} // namespace kimi::runtime
