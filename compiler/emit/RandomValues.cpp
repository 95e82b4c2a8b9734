#include "compiler/emit/RandomValues.h"

#include "llvm/Support/xxhash.h"

#include <bit>
#include <cstring>

namespace kimi::emit {

using import_::DataType;

/// Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014), the finaliser of SplitMix64.
static uint64_t mix(uint64_t z) {
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

static constexpr uint64_t kGolden = UINT64_C(0x9e3779b97f4a7c15);

/// To nearest, ties to even; finite values only.
static uint16_t toBf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

namespace {

/// Eight bytes of a file at a time: a word, from the random word of its place.
struct WordMaker {
  DataType type;
  float middle, scale; // value = middle + signed draw * scale

  uint64_t operator()(uint64_t random) const {
    switch (type) {
    case DataType::BF16: {
      uint64_t word = 0;
      for (int lane = 0; lane < 4; ++lane) {
        const auto draw = static_cast<int16_t>(random >> 16 * lane);
        word |= uint64_t(toBf16(middle + static_cast<float>(draw) * scale)) << 16 * lane;
      }
      return word;
    }
    case DataType::F32: {
      uint64_t word = 0;
      for (int lane = 0; lane < 2; ++lane) {
        const auto draw = static_cast<int16_t>(random >> 32 * lane);
        word |= uint64_t(std::bit_cast<uint32_t>(middle + static_cast<float>(draw) * scale)) << 32 * lane;
      }
      return word;
    }
    case DataType::F8_E4M3:
      // Below 1: no exponent above 6, so no NaN (0x7f, 0xff).
      return (random & UINT64_C(0xb7b7b7b7b7b7b7b7));
    default:
      return random;
    }
  }
};

} // namespace

void fillRandom(uint64_t seed, const import_::RandomKind &kind, uint64_t offset, llvm::MutableArrayRef<char> bytes) {
  const uint64_t key = mix(seed + kGolden) ^ llvm::xxh3_64bits(kind.name());
  const WordMaker make{kind.type, static_cast<float>((kind.low + kind.high) / 2),
                       static_cast<float>((kind.high - kind.low) / 65536)};
  auto wordAt = [&](uint64_t index) { return make(mix(key + (index + 1) * kGolden)); };
  while (!bytes.empty()) {
    const uint64_t word = wordAt(offset / 8), skip = offset % 8;
    const size_t count = std::min<size_t>(8 - skip, bytes.size());
    std::memcpy(bytes.data(), reinterpret_cast<const char *>(&word) + skip, count);
    bytes = bytes.drop_front(count);
    offset += count;
  }
}

} // namespace kimi::emit
