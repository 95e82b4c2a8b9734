#include "server/api/StopStrings.h"

#include <algorithm>
#include <utility>

namespace kimi::api {

// The longest end of `held` that a stop string begins with. Texts and stop strings are whole UTF-8
// characters, so the cut is never inside one.
size_t StopStrings::numHeldBytes() const {
  size_t longest = 0;
  for (const std::string &stop : stops)
    for (size_t length = std::min(stop.size() - 1, held.size()); length > longest; --length)
      if (std::string_view(held).substr(held.size() - length) == std::string_view(stop).substr(0, length)) {
        longest = length;
        break;
      }
  return longest;
}

std::string StopStrings::push(std::string_view text) {
  if (hit)
    return "";
  if (stops.empty())
    return std::string(text);
  held += text;
  size_t first = std::string::npos;
  for (const std::string &stop : stops)
    first = std::min(first, held.find(stop));
  if (first != std::string::npos) {
    hit = true;
    held.resize(first);
    return std::exchange(held, "");
  }
  size_t numSafe = held.size() - numHeldBytes();
  std::string safe = held.substr(0, numSafe);
  held.erase(0, numSafe);
  return safe;
}

std::string StopStrings::finish() { return std::exchange(held, ""); }

} // namespace kimi::api
