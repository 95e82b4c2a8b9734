// The sizes known only when a step runs, and what a plan derives from them: task counts and costs.
#pragma once

#include "runtime/schema/artifact_generated.h"

#include <array>
#include <cstdint>

namespace kimi::runtime {

inline constexpr size_t kNumDims = size_t(artifact::DimSymbol::MAX) + 1;

/// Indexed by DimSymbol. Longer than the symbols known today, so that a kernel of an older plan may read them
/// all.
using Dims = std::array<int64_t, 16>;

inline int64_t &dim(Dims &dims, artifact::DimSymbol symbol) { return dims[size_t(symbol)]; }

/// A full step of an entry. context_tokens is `contextPerToken` positions for every token.
Dims dimsAtCapacity(const artifact::Capacity &capacity, int64_t cacheBlocks, int64_t contextPerToken);

/// ceil(dims[symbol] * multiplier / divisor)
inline int64_t extentSize(const artifact::Extent &extent, const Dims &dims) {
  int64_t scaled = dims[size_t(extent.symbol())] * extent.multiplier();
  return (scaled + extent.divisor() - 1) / extent.divisor();
}

using CostTerms = flatbuffers::Vector<const artifact::CostTerm *>;

/// sum of min(dims[symbol] * multiplier, cap) * amount; `terms` may be null. A double: costs may pass 2^63.
double cost(const CostTerms *terms, const Dims &dims);

} // namespace kimi::runtime
