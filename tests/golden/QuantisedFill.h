// From the values of a weight to the bytes of its quantised form. The same bytes as quantise.py: all divisions in float32.
// Thread rule: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace kimi::golden {

constexpr int64_t kFloat8Block = 128; // rows and columns of one scale
constexpr int64_t kInt4Group = 32;    // columns of one scale

/// A matrix of float32, row-major.
struct Matrix {
  std::span<const float> values;
  int64_t rows, columns;
};

/// The e4m3 code of `value`: nearest, ties to the even code, beyond 448 saturated.
uint8_t encodeFloat8(float value);

std::string fillFloat8Codes(const Matrix &matrix);
std::string fillFloat8Scales(const Matrix &matrix);
/// Eight nibbles in an int32, lowest first, each stored plus 8.
std::string fillInt4Codes(const Matrix &matrix);
std::string fillInt4Scales(const Matrix &matrix);
std::string fillInt4Shape(const Matrix &matrix);

} // namespace kimi::golden
