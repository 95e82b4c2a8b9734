#include "runtime/engine/CacheSize.h"

#include "runtime/base/Units.h"
#include "runtime/engine/PlanCheck.h"

#include <algorithm>
#include <fmt/format.h>
#include <vector>

namespace kimi::runtime {

using namespace kimi::artifact;

uint64_t layerBlockBytes(const Cache &cache) {
  return uint64_t(cache.block_tokens()) * cache.values() * uint64_t(elementBytes(cache.type()));
}

uint64_t blockBytes(const Rank &rank) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < sizeOf(rank.caches()); ++i)
    sum += layerBlockBytes(*rank.caches()->Get(i)) * rank.caches()->Get(i)->layers();
  return sum;
}

Limits limitsOf(const Capacity &capacity) {
  return {.maxTokens = capacity.max_tokens(),
          .maxSequences = capacity.max_sequences(),
          .maxLogitRows = capacity.max_logit_rows(),
          .maxTableBlocks = capacity.max_table_blocks(),
          .maxBiasEntries = capacity.max_bias_entries(),
          .maxPenaltyEntries = capacity.max_penalty_entries()};
}

Limits largestCapacity(const Rank &rank) {
  Limits largest;
  for (const Entry *entry : *rank.entries()) {
    Limits limits = limitsOf(*entry->capacity());
    largest.maxTokens = std::max(largest.maxTokens, limits.maxTokens);
    largest.maxSequences = std::max(largest.maxSequences, limits.maxSequences);
    largest.maxLogitRows = std::max(largest.maxLogitRows, limits.maxLogitRows);
    largest.maxTableBlocks = std::max(largest.maxTableBlocks, limits.maxTableBlocks);
    largest.maxBiasEntries = std::max(largest.maxBiasEntries, limits.maxBiasEntries);
    largest.maxPenaltyEntries = std::max(largest.maxPenaltyEntries, limits.maxPenaltyEntries);
  }
  return largest;
}

Limits callerLimits(const Rank &rank) {
  const Entry *largest = nullptr;
  for (const Entry *entry : *rank.entries()) {
    bool isBetterKind = largest && largest->kind() != entry->kind() && entry->kind() == EntryKind::mixed;
    bool isLarger = largest && largest->kind() == entry->kind() &&
                    entry->capacity()->max_tokens() > largest->capacity()->max_tokens();
    if (!largest || isBetterKind || isLarger)
      largest = entry;
  }
  return limitsOf(*largest->capacity());
}

uint64_t arenaBytes(const Rank &rank) {
  uint64_t bytes = 0;
  for (const Entry *entry : *rank.entries())
    bytes = std::max(bytes, entry->arena_bytes());
  return bytes;
}

/// Blocks that the largest decode batch can fill; that of any entry in a plan without decode entries.
static int64_t mostUsefulBlocks(const Rank &rank) {
  int64_t sequences = 0;
  for (const Entry *entry : *rank.entries())
    if (entry->kind() == EntryKind::decode)
      sequences = std::max(sequences, entry->capacity()->max_sequences());
  Limits largest = largestCapacity(rank);
  return (sequences ? sequences : largest.maxSequences) * largest.maxTableBlocks;
}

int64_t tokensBeside(const Rank &rank, const MemoryNeed &need) {
  uint64_t perBlock = blockBytes(rank);
  int64_t blocks = perBlock ? int64_t(std::min(need.free() / perBlock, uint64_t(kMaxCacheBlocks))) : kMaxCacheBlocks;
  return blocks * kBlockTokens;
}

/// How many of the first layers' weights fit in `bytes`, beside the weights outside layers.
static uint32_t layersThatFit(const Plan &plan, const Rank &rank, uint64_t bytes) {
  std::vector<uint64_t> layers(plan.model()->layers(), 0);
  uint64_t outside = 0;
  for (uint32_t i = 0; i < sizeOf(rank.weights()); ++i) {
    const Weight &weight = *rank.weights()->Get(i);
    bool isOutside = weight.first_layer() == 0 && sizeOf(weight.slices()) == 1 && layers.size() != 1;
    for (uint32_t j = 0; j < sizeOf(weight.slices()); ++j) {
      size_t layer = weight.first_layer() + j;
      (isOutside || layer >= layers.size() ? outside : layers[layer]) += weight.slices()->Get(j)->bytes();
    }
  }
  uint32_t count = 0;
  for (uint64_t used = outside; count < layers.size() && used + layers[count] <= bytes; ++count)
    used += layers[count];
  return count;
}

Status checkMemory(const Plan &plan, const Rank &rank, const MemoryNeed &need) {
  if (need.total() <= need.available)
    return {};
  uint64_t others = need.total() - need.weights;
  uint64_t left = need.available - std::min(need.available, others);
  return failure(fmt::format(
      "too little memory: weights {}, code {}, arena {} and step table {} are needed, {} is available; "
      "about {} of the {} layers would fit: use a machine with more, or compile a part (kimic --layers)",
      formatBytes(double(need.weights)), formatBytes(double(need.code)), formatBytes(double(need.arena)),
      formatBytes(double(need.stepTable)), formatBytes(double(need.available)),
      layersThatFit(plan, rank, left), plan.model()->layers()));
}

Expected<int64_t> chooseCacheBlocks(const Rank &rank, uint64_t cacheBytes, const MemoryNeed &need) {
  uint64_t perBlock = blockBytes(rank);
  int64_t useful = std::min(mostUsefulBlocks(rank), kMaxCacheBlocks);
  if (perBlock == 0) // A plan without a cache: block numbers still have to be good.
    return useful;
  int64_t blocks = 0;
  if (cacheBytes > 0) {
    if (cacheBytes > need.free())
      return failure(
          fmt::format("a cache of {} was asked, but beside weights and buffers ({}) only {} of memory is "
                      "free: {} tokens would fit",
                      formatBytes(double(cacheBytes)), formatBytes(double(need.total())),
                      formatBytes(double(need.free())), tokensBeside(rank, need)));
    blocks = std::min(int64_t(cacheBytes / perBlock), kMaxCacheBlocks);
  } else {
    blocks = std::min(useful, int64_t(need.free() / 4 / perBlock));
  }
  if (blocks < 1)
    return failure(fmt::format("the cache would have {}, but one block of {} tokens takes {}: {}",
                               formatBytes(double(cacheBytes ? cacheBytes : need.free() / 4)), kBlockTokens,
                               formatBytes(double(perBlock)),
                               cacheBytes ? "ask for more" : "free memory or choose the cache size"));
  return blocks;
}

} // namespace kimi::runtime
