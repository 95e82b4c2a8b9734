#include "runtime/base/OneLine.h"

#include <algorithm>
#include <fmt/format.h>

namespace kimi {

static bool isControl(unsigned char c) { return c < 0x20 || c == 0x7F; }

std::string oneLine(std::string text) {
  if (std::ranges::none_of(text, isControl))
    return text;
  std::string line;
  for (unsigned char c : text)
    line += isControl(c) ? fmt::format("\\x{:02X}", c) : std::string(1, char(c));
  return line;
}

std::string shortened(std::string text, size_t mostBytes) {
  if (text.size() <= mostBytes)
    return text;
  size_t end = mostBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
    --end;
  return text.substr(0, end) + "…";
}

} // namespace kimi
