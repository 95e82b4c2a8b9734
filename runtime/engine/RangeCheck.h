// Errors of numbers outside their bounds, in the words that all checks of a plan use.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/engine/Dims.h"

#include <fmt/format.h>
#include <string_view>
#include <type_traits>

namespace kimi::runtime {

/// For a message: a damaged plan may hold kilobytes where a name should be.
inline std::string nameOf(const flatbuffers::String *name) { return shortened(name->str(), 200); }

/// Error unless low <= value <= high.
Status checkRange(std::string_view what, int64_t value, int64_t low, int64_t high);

/// Error unless value < count.
Status checkIndex(std::string_view what, uint64_t value, uint64_t count);

/// Error unless the runtime knows it.
Status checkSymbol(std::string_view what, artifact::DimSymbol symbol);

/// Error unless its size can be computed when a step runs.
Status checkExtent(const std::string &what, const artifact::Extent &extent);

/// Error unless the elements lie as the processor reads them: FlatBuffers' own verifier lets those of eight bytes lie at
/// any multiple of four. A vector that is not there is fine.
template <typename T> Status checkAligned(std::string_view what, const flatbuffers::Vector<T> *vector) {
  constexpr size_t kBytes = alignof(std::remove_pointer_t<T>);
  if (!vector || reinterpret_cast<uintptr_t>(vector->Data()) % kBytes == 0)
    return {};
  return failure(fmt::format("{} do not lie at a multiple of {} bytes", what, kBytes));
}

} // namespace kimi::runtime
