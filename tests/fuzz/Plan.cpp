// The bytes of a plan.fb. What checkPlan lets through is used as the engine and kimi-inspect use it: without a second look.
#include "runtime/engine/Description.h"
#include "runtime/engine/PlanCheck.h"
#include "runtime/engine/StepTable.h"
#include "tests/fuzz/Input.h"

#include <cstring>
#include <memory>

using namespace kimi;
using namespace kimi::runtime;

// What checkPlan's messages begin with.
static const std::initializer_list<std::string_view> kPlaces = {
    "vocabulary", "context length", "layers", "file", "hash", "ranks", "kernel ", "weight ", "cache ", "entry"};

static void use(const artifact::Plan &plan) {
  const artifact::Rank &rank = *plan.ranks()->Get(0);
  for (const artifact::Entry *entry : *rank.entries())
    fuzz::require(describeEntry(rank, *entry, 4096).launches >= 0, "launches can be counted");
  describeWeights(rank);
  describeCaches(rank);
  const MemoryNeed need{.arena = arenaBytes(rank),
                        .stepTable = StepTable::bytesNeeded(largestCapacity(rank), plan.model()->vocabulary()),
                        .available = uint64_t(1) << 40};
  fuzz::require(need.arena <= uint64_t(kMaxArenaBytes), "the arena is bounded");
  callerLimits(rank);
  if (const auto blocks = chooseCacheBlocks(rank, 0, need))
    fuzz::require(*blocks >= 1 && *blocks <= kMaxCacheBlocks, "the cache is bounded");
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  // malloc aligns to 16 bytes, as much as a plan needs. Exactly as long, so that a read beyond it is seen.
  const std::unique_ptr<void, decltype(&std::free)> copy(std::malloc(size), std::free);
  auto *bytes = static_cast<std::byte *>(copy.get());
  std::memcpy(bytes, data, size);
  const Expected<const artifact::Plan *> plan = parsePlan({bytes, size});
  if (!plan)
    return fuzz::requireMessage(plan.error().message, {"bytes", "identifier", "FlatBuffer", "version"}), 0;
  if (const Status status = checkPlan(**plan); !status)
    return fuzz::requireMessage(status.error().message, kPlaces), 0;
  use(**plan);
  return 0;
}
