#include "runtime/base/Units.h"

#include <fmt/format.h>
#include <span>

namespace kimi::runtime {

/// Divides by `base` into the largest unit that gives a number of at least 1; numbers below `firstLimit` stay whole.
static std::string scaled(double value, double base, double firstLimit, std::span<const char *const> units) {
  size_t unit = 0;
  for (; unit + 1 < units.size() && value >= (unit == 0 ? firstLimit : base); ++unit)
    value /= base;
  // Whole numbers of the first unit are exact; others get three digits that matter.
  int digits = unit == 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  std::string text = fmt::format("{:.{}f}", value, digits);
  return *units[unit] ? text + " " + units[unit] : text;
}

std::string formatBytes(double bytes) {
  static constexpr const char *kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  return scaled(bytes, 1024, 1024, kUnits);
}

std::string formatCount(double count) {
  static constexpr const char *kUnits[] = {"", "k", "M", "G", "T", "P"};
  return scaled(count, 1000, 10000, kUnits);
}

std::string formatSeconds(double seconds) {
  if (seconds >= 1)
    return fmt::format("{:.2f} s", seconds);
  if (seconds >= 1e-3)
    return fmt::format("{:.2f} ms", seconds * 1e3);
  return fmt::format("{:.1f} µs", seconds * 1e6);
}

} // namespace kimi::runtime
