// The version of artifact.fbs. Raise it when an old reader would misread a new artifact; appended fields that
// may be ignored do not raise it.
#pragma once

#include <cstdint>

namespace kimi::artifact {

inline constexpr uint32_t kFormatVersion = 1;

} // namespace kimi::artifact
