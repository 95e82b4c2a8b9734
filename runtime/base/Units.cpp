#include "runtime/base/Units.h"

#include <fmt/format.h>
#include <span>

namespace kimi::runtime {

/// Divides by `base` until the number has at most four digits before the point.
static std::string scaled(double value, double base, double last, std::span<const char *const> units) {
  size_t unit = 0;
  for (; unit + 1 < units.size() && value >= last; ++unit)
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
