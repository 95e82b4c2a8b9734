// What an artifact holds and what it needs, as plain data: kimi-inspect prints it.
#pragma once

#include "runtime/engine/Artifact.h"
#include "runtime/engine/CacheSize.h"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace kimi::runtime {

/// One kernel in one entry, at the entry's full capacity.
struct KernelUse {
  std::string name, implementation, parameters;
  int64_t launches = 0; // blocks expanded
  int64_t tasks = 0;    // of all launches
  double bytes = 0, flops = 0;
};

/// One place in the arena. The plan's launches name places by their first byte only.
struct ArenaUse {
  uint64_t offset = 0;
  int64_t uses = 0;                        // as an argument
  int64_t firstLaunch = 0, lastLaunch = 0; // 0-based, in running order
  std::set<std::string> kernels;
};

struct EntryDescription {
  std::string name, kind;
  Limits capacity; // cacheBlocks is 0
  uint64_t arenaBytes = 0;
  int64_t launches = 0;
  double bytes = 0, flops = 0;
  std::vector<KernelUse> kernels; // in the order of their first launch
  std::vector<ArenaUse> arena;    // by offset
};

struct WeightDescription {
  std::string name, source, type, layout;
  std::vector<int64_t> shape; // of one slice
  uint32_t firstLayer = 0, numSlices = 0;
  uint64_t bytes = 0; // of all slices
};

struct CacheDescription {
  std::string name, type;
  uint32_t values = 0, layers = 0;
  uint64_t bytesPerToken = 0; // in all layers
};

/// Costs are those of a full step whose tokens each attend to `contextPerToken` positions.
EntryDescription describeEntry(const artifact::Rank &rank, const artifact::Entry &entry,
                               int64_t contextPerToken);
std::vector<WeightDescription> describeWeights(const artifact::Rank &rank);
std::vector<CacheDescription> describeCaches(const artifact::Rank &rank);

/// What an engine for one rank of this plan takes on a machine with that much free memory.
MemoryNeed describeMemory(const artifact::Plan &plan, const artifact::Rank &rank, uint64_t availableBytes);

} // namespace kimi::runtime
