// Numbers as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace kimi::runtime {

std::string formatBytes(double bytes);     // "512 B", "1.50 GiB"
std::string formatCount(double count);     // "950", "1.20 M": powers of 1000
std::string formatSeconds(double seconds); // "12.3 µs", "4.56 ms", "7.89 s"

} // namespace kimi::runtime
