#include "runtime/engine/Description.h"

#include "runtime/engine/PlanWalk.h"
#include "runtime/engine/StepTable.h"

namespace kimi::runtime {

using namespace kimi::artifact;

static std::string textOf(const flatbuffers::String *text) { return text ? text->str() : std::string(); }

static void addArenaUses(const Launch &launch, const std::string &kernel, int64_t number,
                         std::map<uint64_t, ArenaUse> &arena) {
  for (uint32_t i = 0; i < sizeOf(launch.arguments()); ++i) {
    const Argument &argument = *launch.arguments()->Get(i);
    if (argument.kind() != ArgumentKind::arena)
      continue;
    auto [place, isNew] = arena.try_emplace(uint64_t(argument.value()));
    ArenaUse &use = place->second;
    if (isNew)
      use.firstLaunch = number;
    use.offset = place->first;
    use.lastLaunch = number;
    ++use.uses;
    use.kernels.insert(kernel);
  }
}

EntryDescription describeEntry(const Rank &rank, const Entry &entry, int64_t contextPerToken) {
  EntryDescription description;
  description.name = entry.name()->str();
  description.kind = EnumNameEntryKind(entry.kind());
  description.capacity = limitsOf(*entry.capacity());
  description.arenaBytes = entry.arena_bytes();
  Dims dims = dimsAtCapacity(*entry.capacity(), 0, contextPerToken);
  std::map<uint32_t, size_t> rows; // kernel → row
  std::map<uint64_t, ArenaUse> arena;
  forEachLaunch(rank, entry, [&](const Launch &launch, uint32_t) {
    const Kernel &kernel = *rank.kernels()->Get(launch.kernel());
    auto [row, isNew] = rows.try_emplace(launch.kernel(), description.kernels.size());
    if (isNew)
      description.kernels.push_back({.name = kernel.name()->str(),
                                     .implementation = kernel.implementation()->str(),
                                     .parameters = textOf(kernel.parameters())});
    KernelUse &use = description.kernels[row->second];
    double bytes = cost(kernel.bytes(), dims), flops = cost(kernel.flops(), dims);
    ++use.launches;
    use.tasks += countTasks(gridOf(launch), dims);
    use.bytes += bytes;
    use.flops += flops;
    description.bytes += bytes;
    description.flops += flops;
    addArenaUses(launch, use.name, description.launches++, arena);
  });
  for (auto &[offset, use] : arena)
    description.arena.push_back(std::move(use));
  return description;
}

std::vector<WeightDescription> describeWeights(const Rank &rank) {
  std::vector<WeightDescription> weights;
  for (uint32_t i = 0; i < sizeOf(rank.weights()); ++i) {
    const Weight &weight = *rank.weights()->Get(i);
    WeightDescription description{.name = weight.name()->str(),
                                  .source = textOf(weight.source()),
                                  .type = EnumNameDataType(weight.type()),
                                  .layout = textOf(weight.layout()),
                                  .shape = {},
                                  .firstLayer = weight.first_layer(),
                                  .numSlices = sizeOf(weight.slices())};
    for (uint32_t j = 0; j < sizeOf(weight.shape()); ++j)
      description.shape.push_back(weight.shape()->Get(j));
    for (uint32_t j = 0; j < sizeOf(weight.slices()); ++j)
      description.bytes += weight.slices()->Get(j)->bytes();
    weights.push_back(std::move(description));
  }
  return weights;
}

std::vector<CacheDescription> describeCaches(const Rank &rank) {
  std::vector<CacheDescription> caches;
  for (uint32_t i = 0; i < sizeOf(rank.caches()); ++i) {
    const Cache &cache = *rank.caches()->Get(i);
    caches.push_back({.name = cache.name()->str(),
                      .type = EnumNameDataType(cache.type()),
                      .values = cache.values(),
                      .layers = cache.layers(),
                      .bytesPerToken = layerBlockBytes(cache) / cache.block_tokens() * cache.layers()});
  }
  return caches;
}

static uint64_t fileBytes(const Plan &plan, const std::set<uint32_t> &files) {
  uint64_t sum = 0;
  for (uint32_t file : files)
    sum += plan.files()->Get(file)->bytes();
  return sum;
}

MemoryNeed describeMemory(const Plan &plan, const Rank &rank, uint64_t availableBytes) {
  std::set<uint32_t> weights, code; // equal slices share a file
  for (uint32_t i = 0; i < sizeOf(rank.weights()); ++i)
    for (uint32_t j = 0; j < sizeOf(rank.weights()->Get(i)->slices()); ++j)
      weights.insert(rank.weights()->Get(i)->slices()->Get(j)->file());
  for (uint32_t i = 0; i < sizeOf(rank.code()); ++i)
    code.insert(rank.code()->Get(i));
  return {.weights = fileBytes(plan, weights),
          .code = fileBytes(plan, code),
          .arena = arenaBytes(rank),
          .stepTable = StepTable::bytesNeeded(largestCapacity(rank), plan.model()->vocabulary()),
          .available = availableBytes};
}

} // namespace kimi::runtime
