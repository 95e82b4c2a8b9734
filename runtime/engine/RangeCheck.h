// Errors of numbers outside their bounds, in the words that all checks of a plan use.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/engine/Dims.h"

#include <string_view>

namespace kimi::runtime {

/// Error unless low <= value <= high.
Status checkRange(std::string_view what, int64_t value, int64_t low, int64_t high);

/// Error unless value < count.
Status checkIndex(std::string_view what, uint64_t value, uint64_t count);

/// Error unless the runtime knows it.
Status checkSymbol(std::string_view what, artifact::DimSymbol symbol);

/// Error unless its size can be computed when a step runs.
Status checkExtent(const std::string &what, const artifact::Extent &extent);

} // namespace kimi::runtime
