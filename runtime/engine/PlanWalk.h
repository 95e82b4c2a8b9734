// Walks an entry in the order it runs. The plan has passed checkPlan.
#pragma once

#include "runtime/engine/Dims.h"
#include "runtime/engine/PlanCheck.h"

#include <span>
#include <string>

namespace kimi::runtime {

/// Calls visit(launch, layer) for every launch of the entry, blocks expanded; layer 0 outside blocks.
template <typename Visit>
void forEachLaunch(const artifact::Rank &rank, const artifact::Entry &entry, Visit &&visit) {
  for (uint32_t i = 0; i < sizeOf(entry.steps()); ++i) {
    const artifact::Step &step = *entry.steps()->Get(i);
    if (const artifact::Launch *launch = step.kind_as_Launch()) {
      visit(*launch, uint32_t(0));
      continue;
    }
    const artifact::Call &call = *step.kind_as_Call();
    const artifact::Block &block = *rank.blocks()->Get(call.block());
    for (uint32_t j = 0; j < sizeOf(block.steps()); ++j)
      visit(*block.steps()->Get(j)->kind_as_Launch(), call.layer());
  }
}

/// Where the entry's launch of that number stands, for messages: "launch 17 of 240 (block moe_layer, layer
/// 3)".
std::string describePlace(const artifact::Rank &rank, const artifact::Entry &entry, size_t number);

/// The launch's extents; none when the plan leaves them out.
inline std::span<const artifact::Extent> gridOf(const artifact::Launch &launch) {
  if (!launch.grid())
    return {};
  return {reinterpret_cast<const artifact::Extent *>(launch.grid()->Data()), launch.grid()->size()};
}

/// Tasks of a launch: the product of its grid's extents.
inline int64_t countTasks(std::span<const artifact::Extent> grid, const Dims &dims) {
  int64_t tasks = 1;
  for (const artifact::Extent &extent : grid)
    tasks *= extentSize(extent, dims);
  return tasks;
}

} // namespace kimi::runtime
