#include "runtime/engine/ShapeValues.h"

#include "runtime/engine/PlanCheck.h"

#include <algorithm>
#include <thread>
#include <vector>

namespace kimi::runtime {

using namespace kimi::artifact;

/// Eight bytes of values: `keep` bits of a random word, `set` bits on top.
struct Pattern {
  uint64_t keep, set;
};

static Pattern patternOf(const Weight &weight) {
  bool isVector = sizeOf(weight.shape()) < 2;
  switch (weight.type()) {
  case DataType::i8: // nibbles or bytes: every code is a number
  case DataType::u8:
    return {~uint64_t(0), 0};
  case DataType::i32: // may be indices
  case DataType::u32:
  case DataType::i64:
    return {0, 0};
  case DataType::f8e4m3: // sign and mantissa random, exponent 6 or 7 (bias 7)
    return {0x8f8f8f8f8f8f8f8f, 0x3030303030303030};
  case DataType::bf16:
    return isVector ? Pattern{0, 0x3f803f803f803f80} : Pattern{0x807f807f807f807f, 0x3c803c803c803c80};
  case DataType::f16:
    return isVector ? Pattern{0, 0x3c003c003c003c00} : Pattern{0x83ff83ff83ff83ff, 0x2400240024002400};
  case DataType::f32:
    return {0, isVector ? uint64_t(0) : uint64_t(0x3c8000003c800000)};
  }
  return {0, 0}; // checkPlan refuses other types
}

static void fillWords(uint64_t *words, uint64_t begin, uint64_t end, Pattern pattern) {
  uint64_t state = begin * 0x9e3779b97f4a7c15 + 1;
  for (uint64_t i = begin; i < end; ++i) { // xorshift64
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    words[i] = (state & pattern.keep) | pattern.set;
  }
}

void fillShape(const Weight &weight, std::span<std::byte> memory, int numThreads) {
  auto *words = reinterpret_cast<uint64_t *>(memory.data());
  uint64_t count = memory.size() / 8, part = count / uint64_t(numThreads) + 1;
  std::vector<std::jthread> threads;
  for (uint64_t begin = 0; begin < count; begin += part)
    threads.emplace_back([=, end = std::min(begin + part, count), pattern = patternOf(weight)] {
      fillWords(words, begin, end, pattern);
    });
}

} // namespace kimi::runtime
