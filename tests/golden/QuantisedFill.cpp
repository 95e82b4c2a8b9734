#include "tests/golden/QuantisedFill.h"

#include "tests/golden/CounterRandom.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

namespace kimi::golden {
namespace {

template <typename T> void append(std::string &bytes, T value) {
  bytes.append(reinterpret_cast<const char *>(&value), sizeof value);
}

/// The numbers of the codes 0 .. 126, ascending; 127 is not a number.
const std::array<double, 127> &float8Values() {
  static const std::array<double, 127> values = [] {
    std::array<double, 127> all{};
    for (int code = 0; code < 127; ++code) {
      const int exponent = code >> 3, fraction = code & 7;
      all[static_cast<size_t>(code)] = exponent == 0 ? std::ldexp(fraction, -9) : std::ldexp(8 + fraction, exponent - 10);
    }
    return all;
  }();
  return values;
}

/// max|x| / 448 of every block, row-major.
std::vector<float> float8Scales(const Matrix &matrix) {
  const int64_t blockRows = (matrix.rows + kFloat8Block - 1) / kFloat8Block;
  const int64_t blockColumns = (matrix.columns + kFloat8Block - 1) / kFloat8Block;
  std::vector<float> scales(static_cast<size_t>(blockRows * blockColumns), 0.0f);
  for (int64_t row = 0; row < matrix.rows; ++row)
    for (int64_t column = 0; column < matrix.columns; ++column) {
      float &largest = scales[static_cast<size_t>(row / kFloat8Block * blockColumns + column / kFloat8Block)];
      largest = std::max(largest, std::abs(matrix.values[static_cast<size_t>(row * matrix.columns + column)]));
    }
  for (float &scale : scales)
    scale /= 448.0f;
  return scales;
}

uint16_t int4Scale(std::span<const float> group) {
  float largest = 0;
  for (float value : group)
    largest = std::max(largest, std::abs(value));
  return roundToBf16(largest / 7.5f);
}

std::span<const float> groupAt(const Matrix &matrix, int64_t first) {
  return matrix.values.subspan(static_cast<size_t>(first), static_cast<size_t>(kInt4Group));
}

} // namespace

uint8_t encodeFloat8(float value) {
  const std::array<double, 127> &values = float8Values();
  const double size = std::abs(static_cast<double>(value));
  const auto next = std::upper_bound(values.begin(), values.end(), size);
  const size_t low = std::min<size_t>(static_cast<size_t>(next - values.begin()) - 1, 125);
  const double below = size - values[low], above = values[low + 1] - size;
  const bool isUp = above < below || (above == below && low % 2 == 1);
  return static_cast<uint8_t>((low + isUp) | (std::signbit(value) ? 128 : 0));
}

std::string fillFloat8Codes(const Matrix &matrix) {
  const std::vector<float> scales = float8Scales(matrix);
  const int64_t blockColumns = (matrix.columns + kFloat8Block - 1) / kFloat8Block;
  std::string bytes;
  for (int64_t row = 0; row < matrix.rows; ++row)
    for (int64_t column = 0; column < matrix.columns; ++column)
      append(bytes, encodeFloat8(matrix.values[static_cast<size_t>(row * matrix.columns + column)] /
                                 scales[static_cast<size_t>(row / kFloat8Block * blockColumns + column / kFloat8Block)]));
  return bytes;
}

std::string fillFloat8Scales(const Matrix &matrix) {
  std::string bytes;
  for (float scale : float8Scales(matrix))
    append(bytes, scale);
  return bytes;
}

std::string fillInt4Codes(const Matrix &matrix) {
  std::string bytes;
  for (int64_t first = 0; first < matrix.rows * matrix.columns; first += kInt4Group) {
    const std::span<const float> group = groupAt(matrix, first);
    const float scale = std::bit_cast<float>(uint32_t{int4Scale(group)} << 16);
    for (size_t i = 0; i < group.size(); i += 8) {
      uint32_t packed = 0;
      for (size_t nibble = 0; nibble < 8; ++nibble) {
        const float rounded = std::clamp(std::nearbyint(group[i + nibble] / scale), -8.0f, 7.0f);
        packed |= static_cast<uint32_t>(static_cast<int>(rounded) + 8) << (4 * nibble);
      }
      append(bytes, packed);
    }
  }
  return bytes;
}

std::string fillInt4Scales(const Matrix &matrix) {
  std::string bytes;
  for (int64_t first = 0; first < matrix.rows * matrix.columns; first += kInt4Group)
    append(bytes, int4Scale(groupAt(matrix, first)));
  return bytes;
}

std::string fillInt4Shape(const Matrix &matrix) {
  std::string bytes;
  append(bytes, static_cast<int32_t>(matrix.rows));
  append(bytes, static_cast<int32_t>(matrix.columns));
  return bytes;
}

} // namespace kimi::golden
