// One entry, resolved at load into flat lists: blocks are expanded per layer, every argument is an address.
// How launches run is the engine's business; a program is the same for every target.
#pragma once

#include "runtime/engine/Artifact.h"
#include "runtime/engine/Dims.h"
#include "runtime/engine/StepLayout.h"

#include <span>
#include <vector>

namespace kimi::runtime {

/// Where things are in the memory that kernels see: the host's, or a device's, which the host never follows.
struct Addresses {
  std::byte *inputs = nullptr; // by `layout`
  std::byte *outputs = nullptr; // likewise, but the logits
  std::byte *logits = nullptr;
  StepLayout layout;
  std::byte *arena = nullptr;
  std::vector<std::byte *> files;        // as in the plan; null where a file holds no weights
  std::vector<std::byte *> caches;       // as in the plan
  std::vector<uint64_t> cacheLayerBytes; // as in the plan
};

/// One launch of a program.
struct LaunchRecord {
  const artifact::Launch *planned;
  uint32_t kernel;
  uint32_t firstArgument, numArguments;
  uint32_t firstExtent, numExtents;
};

class Program {
public:
  /// `entry` has passed checkPlan, so every index in it is good.
  Program(const artifact::Rank &rank, const artifact::Entry &entry, const Addresses &addresses);

  const artifact::Entry &entry() const { return *planEntry; }

  /// True when the entry's buffers hold a step of these sizes.
  bool fits(const Dims &dims) const;

  std::span<const LaunchRecord> launches() const { return records; }
  void *const *arguments(const LaunchRecord &launch) const {
    return argumentList.data() + launch.firstArgument;
  }
  int64_t numTasks(const LaunchRecord &launch, const Dims &dims) const;

private:
  void addLaunch(const artifact::Launch &launch, uint32_t layer, const artifact::Rank &rank,
                 const Addresses &addresses);

  const artifact::Entry *planEntry;
  std::vector<LaunchRecord> records;
  std::vector<void *> argumentList;
  std::vector<artifact::Extent> extents;
};

} // namespace kimi::runtime
