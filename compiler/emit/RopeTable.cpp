#include "compiler/emit/RopeTable.h"

#include "compiler/import/Rope.h"

#include <cmath>

namespace kimi::emit {

std::vector<float> ropeTable(model::RopeAttr rope, int64_t positions) {
  const std::vector<float> frequencies = import_::ropeFrequencies(rope);
  const double magnitude = rope.getMagnitude().getValueAsDouble();
  const size_t pairs = frequencies.size();
  std::vector<float> table(static_cast<size_t>(positions) * 2 * pairs);
  for (int64_t position = 0; position < positions; ++position)
    for (size_t pair = 0; pair < pairs; ++pair) {
      const float angle = static_cast<float>(position) * frequencies[pair];
      float *row = table.data() + static_cast<size_t>(position) * 2 * pairs;
      row[pair] = static_cast<float>(std::cos(static_cast<double>(angle)) * magnitude);
      row[pairs + pair] = static_cast<float>(std::sin(static_cast<double>(angle)) * magnitude);
    }
  return table;
}

} // namespace kimi::emit
