// Random numbers by position: element i of the tensor called N depends on (seed, N, i) alone. The same arithmetic
// as weights.py, bit for bit: integers, one float32 multiplication, one float32 addition, one rounding to bf16.
// Thread rule: pure functions.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <string_view>

namespace kimi::golden {

constexpr uint64_t kGoldenRatio = 0x9e3779b97f4a7c15;

/// The finaliser of splitmix64.
constexpr uint64_t mixBits(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

/// FNV-1a over the bytes of a tensor's name.
constexpr uint64_t hashName(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325;
  for (unsigned char byte : name)
    hash = (hash ^ byte) * 0x100000001b3;
  return hash;
}

constexpr uint64_t tensorKey(uint64_t seed, std::string_view name) {
  return mixBits(hashName(name) ^ mixBits(seed + kGoldenRatio));
}

/// The sum of the four 16-bit quarters of the element's hash, less its mean: near normal, |sum| ≤ 131070 (so exact in
/// float32), standard deviation 37837.2.
constexpr int32_t elementSum(uint64_t key, uint64_t index) {
  const uint64_t bits = mixBits(key + (index + 1) * kGoldenRatio);
  return static_cast<int32_t>((bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48)) - 131070;
}

/// The float32 factor that gives elementSum the standard deviation gain / 1024 / sqrt(fanIn).
inline float sumScale(int64_t gain, int64_t fanIn) {
  const double unit = 37837.0 * std::sqrt(static_cast<double>(fanIn));
  return static_cast<float>(static_cast<double>(gain) / 1024.0 / unit);
}

/// Round to nearest, ties to even; our values are finite.
constexpr uint16_t roundToBf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

} // namespace kimi::golden
