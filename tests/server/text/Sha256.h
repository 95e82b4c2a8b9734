// SHA-256, in which the vectors record long lists of ids.
#pragma once

#include <string>
#include <string_view>

namespace kimi::text {

/// 64 lower-case hex digits.
std::string sha256Hex(std::string_view bytes);

} // namespace kimi::text
