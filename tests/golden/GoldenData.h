// The files of tests/golden/families, embedded at build time so that the programs need no path. Thread rule: constants.
#pragma once

#include "runtime/base/Status.h"

#include <string_view>

namespace kimi::golden {

/// The text of families/NAME.
Expected<std::string_view> goldenData(std::string_view name);

} // namespace kimi::golden
