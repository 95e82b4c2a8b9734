// How much memory an artifact needs, and how large its cache may be.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/kimi.h"
#include "runtime/schema/artifact_generated.h"

#include <cstdint>

namespace kimi::runtime {

/// Bytes one 64-token block takes in one layer of a cache, and in all layers of all caches.
uint64_t layerBlockBytes(const artifact::Cache &cache);
uint64_t blockBytes(const artifact::Rank &rank);

/// A capacity in the API's terms; cacheBlocks stays 0.
Limits limitsOf(const artifact::Capacity &capacity);

/// The largest of each capacity over all entries: what buffers are sized by. cacheBlocks stays 0.
Limits largestCapacity(const artifact::Rank &rank);

/// The most a step can hold whatever it is made of: the largest mixed entry's capacity, or without one the
/// largest decode entry's. cacheBlocks stays 0.
Limits callerLimits(const artifact::Rank &rank);

/// Arena bytes: the most over all entries.
uint64_t arenaBytes(const artifact::Rank &rank);

/// Memory of one rank's engine besides its cache, in bytes.
struct MemoryNeed {
  uint64_t weights = 0; // whole files
  uint64_t code = 0;    // and what its kernels spill
  uint64_t arena = 0;
  uint64_t stepTable = 0;
  uint64_t available = 0; // on this machine, before any of it

  uint64_t total() const { return weights + code + arena + stepTable; }
  uint64_t free() const { return available - (available < total() ? available : total()); }
};

/// Error: more is needed than there is. Says how much of the model would fit.
Status checkMemory(const artifact::Plan &plan, const artifact::Rank &rank, const MemoryNeed &need);

/// Blocks of the paged cache. cacheBytes 0 = every sequence of the largest decode entry at full context, but
/// at most a quarter of the free memory. Errors: not one block fits; more was asked than is free.
Expected<int64_t> chooseCacheBlocks(const artifact::Rank &rank, uint64_t cacheBytes, const MemoryNeed &need);

/// The most cache tokens that the rest of the memory holds, whole blocks only; 0 where not one block fits.
int64_t tokensBeside(const artifact::Rank &rank, const MemoryNeed &need);

} // namespace kimi::runtime
