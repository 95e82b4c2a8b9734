// Messages quote names from files and requests that others wrote: they stay one line, and short enough to read.
// Thread rule: free functions.
#pragma once

#include <string>

namespace kimi {

/// `text` with its control characters as \xNN. Applied twice it changes nothing more.
std::string oneLine(std::string text);

/// At most `mostBytes` of `text`, then "…". A character of several bytes is kept or left out whole.
std::string shortened(std::string text, size_t mostBytes = 80);

} // namespace kimi
