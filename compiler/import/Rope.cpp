#include "compiler/import/Rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace kimi::import_ {
namespace {

/// Where in [0, 1] each pair lies between "keep the frequency" (0) and "divide it by the factor" (1).
class Ramp {
public:
  explicit Ramp(model::RopeAttr rope) {
    const double dim = static_cast<double>(rope.getDim());
    auto correction = [&](double rotations) {
      const double context = static_cast<double>(rope.getOriginalContext());
      return dim * std::log(context / (rotations * 2 * std::numbers::pi)) /
             (2 * std::log(rope.getTheta().getValueAsDouble()));
    };
    low = std::max(std::floor(correction(rope.getBetaFast().getValueAsDouble())), 0.0);
    high = std::min(std::ceil(correction(rope.getBetaSlow().getValueAsDouble())), dim - 1);
    if (low == high)
      high += 0.001; // as the reference: no division by 0
  }

  float at(int64_t pair) const {
    const float position = static_cast<float>(pair) - static_cast<float>(low);
    return std::clamp(position / static_cast<float>(high - low), 0.0f, 1.0f);
  }

private:
  double low, high;
};

} // namespace

std::vector<float> ropeFrequencies(model::RopeAttr rope) {
  const float theta = static_cast<float>(rope.getTheta().getValueAsDouble());
  const float factor = static_cast<float>(rope.getFactor().getValueAsDouble());
  const Ramp ramp(rope);
  std::vector<float> frequencies;
  for (int64_t pair = 0; pair < rope.getDim() / 2; ++pair) {
    const float period = std::pow(theta, static_cast<float>(2 * pair) / static_cast<float>(rope.getDim()));
    if (factor == 1.0f) {
      frequencies.push_back(1.0f / period);
      continue;
    }
    // The reference subtracts twice: 1 - (1 - ramp) is not ramp in float32.
    const float kept = 1.0f - ramp.at(pair);
    frequencies.push_back(1.0f / (factor * period) * (1.0f - kept) + 1.0f / period * kept);
  }
  return frequencies;
}

} // namespace kimi::import_
