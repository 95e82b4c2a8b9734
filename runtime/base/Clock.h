// The clock that everything is timed by.
#pragma once

#include <chrono>

namespace kimi::runtime {

using Clock = std::chrono::steady_clock;

inline double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

} // namespace kimi::runtime
