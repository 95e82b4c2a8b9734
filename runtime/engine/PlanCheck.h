// Everything a plan says that could lead a reader astray, checked once: after it, indices, offsets, symbols
// and sizes may be used without a second look.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/schema/artifact_generated.h"

#include <cstddef>
#include <span>
#include <string_view>

namespace kimi::runtime {

/// Bounds that keep every later product of sizes inside 64 bits.
inline constexpr int64_t kMaxCacheBlocks = int64_t(1) << 25; // cache_slots are int32: 2^25 * 64 = 2^31
inline constexpr int64_t kMaxArenaBytes = int64_t(1) << 44;

/// The flatbuffer itself: identifier, structure, version. The result points into `bytes`, which must be
/// 16-byte aligned.
Expected<const artifact::Plan *> parsePlan(std::span<const std::byte> bytes);

/// What the structure says. Errors name the thing, the value and the limit.
Status checkPlan(const artifact::Plan &plan);

/// Kernels of such a rank are cubins' (runtime/schema/artifact.fbs, table Kernel).
inline bool isCudaTarget(std::string_view target) { return target.starts_with("cuda:"); }

int64_t elementBytes(artifact::DataType type);

/// A vector that may be left out of the file reads as an empty one.
template <typename T> uint32_t sizeOf(const flatbuffers::Vector<T> *vector) {
  return vector ? vector->size() : 0;
}

} // namespace kimi::runtime
