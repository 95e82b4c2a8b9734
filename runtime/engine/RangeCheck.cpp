#include "runtime/engine/RangeCheck.h"

#include <fmt/format.h>

namespace kimi::runtime {

using namespace kimi::artifact;

Status checkRange(std::string_view what, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high)
    return {};
  return failure(fmt::format("{} is {}, expected {} to {}", what, value, low, high));
}

Status checkIndex(std::string_view what, uint64_t value, uint64_t count) {
  if (value < count)
    return {};
  return failure(fmt::format("{} is {}, but there are {}", what, value, count));
}

Status checkSymbol(std::string_view what, DimSymbol symbol) {
  return checkIndex(fmt::format("{}'s dim symbol", what), uint64_t(symbol), kNumDims);
}

Status checkExtent(const std::string &what, const Extent &extent) {
  TRY(checkSymbol(what + " extent", extent.symbol()));
  if (extent.symbol() == DimSymbol::context_tokens)
    return failure(what + " extent is of context_tokens, which is for costs only");
  TRY(checkRange(what + " multiplier", extent.multiplier(), 0, 1 << 30));
  return checkRange(what + " divisor", extent.divisor(), 1, 1 << 30);
}

} // namespace kimi::runtime
