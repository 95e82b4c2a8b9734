// Ends a reply at the first stop string, wherever token borders fall, without ever showing a part of it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kimi::api {

class StopStrings {
public:
  explicit StopStrings(std::vector<std::string> stops) : stops(std::move(stops)) {}

  /// The text that is now known to be no part of a stop string. After a hit: nothing.
  std::string push(std::string_view text);
  /// At the end of the reply: what was held back after all.
  std::string finish();

  bool isHit() const { return hit; }

private:
  size_t numHeldBytes() const;

  std::vector<std::string> stops;
  std::string held;
  bool hit = false;
};

} // namespace kimi::api
