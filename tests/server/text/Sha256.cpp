#include "tests/server/text/Sha256.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <vector>

namespace kimi::text {

namespace {

/// The first 64 primes: the standard's constants are fractions of their roots.
std::vector<int> primes() {
  std::vector<int> found;
  for (int n = 2; found.size() < 64; ++n) {
    bool isPrime = true;
    for (int p : found)
      isPrime = isPrime && n % p != 0;
    if (isPrime)
      found.push_back(n);
  }
  return found;
}

uint32_t fraction(long double root) { return uint32_t((root - std::floor(root)) * 4294967296.0L); }

void addBlock(const uint8_t *block, const std::vector<int> &prime, std::array<uint32_t, 8> &state) {
  std::array<uint32_t, 64> w;
  for (int i = 0; i < 16; ++i)
    w[i] = uint32_t(block[4 * i]) << 24 | block[4 * i + 1] << 16 | block[4 * i + 2] << 8 | block[4 * i + 3];
  for (int i = 16; i < 64; ++i)
    w[i] = w[i - 16] + w[i - 7] + (std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ w[i - 15] >> 3) +
           (std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ w[i - 2] >> 10);
  auto [a, b, c, d, e, f, g, h] = state;
  for (int i = 0; i < 64; ++i) {
    const uint32_t k = fraction(std::cbrt((long double)prime[i]));
    const uint32_t first =
        h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) + ((e & f) ^ (~e & g)) + k + w[i];
    const uint32_t second =
        (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + first, d = c, c = b, b = a, a = first + second;
  }
  const std::array<uint32_t, 8> after = {a, b, c, d, e, f, g, h};
  for (int i = 0; i < 8; ++i)
    state[i] += after[i];
}

} // namespace

std::string sha256Hex(std::string_view bytes) {
  const std::vector<int> prime = primes();
  std::array<uint32_t, 8> state;
  for (int i = 0; i < 8; ++i)
    state[i] = fraction(std::sqrt((long double)prime[i]));
  std::string padded(bytes);
  padded += '\x80';
  padded.resize((padded.size() + 8 + 63) / 64 * 64 - 8, '\0');
  for (int shift = 56; shift >= 0; shift -= 8)
    padded += char(uint64_t(bytes.size()) * 8 >> shift);
  for (size_t at = 0; at < padded.size(); at += 64)
    addBlock(reinterpret_cast<const uint8_t *>(padded.data()) + at, prime, state);
  std::string hex;
  for (uint32_t word : state)
    hex += fmt::format("{:08x}", word);
  return hex;
}

} // namespace kimi::text
