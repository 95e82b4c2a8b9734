#include "runtime/cuda/Target.h"

#include <charconv>
#include <fmt/format.h>

namespace kimi::runtime::cuda {

/// Which of kimic's targets this GPU runs.
static std::string advice(const DeviceProperties &device) {
  if (device.major == 9 && device.minor == 0)
    return "compile it with --target cuda:sm_90a";
  if (device.major == 8)
    return "compile it with --target cuda:sm_80";
  return "kimic has no target for this GPU: use one of compute capability 8.x or 9.0, or compile with "
         "--target cpu";
}

Status checkTarget(std::string_view target, const DeviceProperties &device) {
  constexpr std::string_view kPrefix = "cuda:sm_";
  std::string_view text = target.starts_with(kPrefix) ? target.substr(kPrefix.size()) : "";
  bool isExact = text.ends_with('a'); // instructions that no other architecture has
  if (isExact)
    text.remove_suffix(1);
  int number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.size() < 2 || error != std::errc() || end != text.data() + text.size())
    return failure(
        fmt::format("compiled for target {}; this runtime runs cuda:sm_XY and cuda:sm_XYa", target));
  int major = number / 10, minor = number % 10;
  if (device.major == major && (isExact ? device.minor == minor : device.minor >= minor))
    return {};
  return failure(fmt::format("compiled for {}, but {} is sm_{}{}: {}", target, device.name, device.major,
                             device.minor, advice(device)));
}

} // namespace kimi::runtime::cuda
