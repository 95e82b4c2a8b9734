#include "compiler/emit/RandomValues.h"

#include "llvm/Support/xxhash.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <gmock/gmock.h>
#include <set>

using namespace kimi;
using import_::DataType;
using import_::RandomKind;

static std::string valuesOf(const RandomKind &kind, uint64_t offset, size_t count, uint64_t seed = 1) {
  std::string bytes(count, '\0');
  emit::fillRandom(seed, kind, offset, {bytes.data(), bytes.size()});
  return bytes;
}

TEST(RandomValues, DependOnThePlaceAlone) {
  for (DataType type : {DataType::BF16, DataType::F32, DataType::F8_E4M3, DataType::I32}) {
    const RandomKind kind{type, -0.5, 0.5};
    const std::string whole = valuesOf(kind, 0, 4096);
    for (uint64_t offset : {0, 1, 7, 8, 1000})
      EXPECT_EQ(valuesOf(kind, offset, 1001), whole.substr(offset, 1001)) << offset;
    EXPECT_EQ(valuesOf(kind, 0, 4096), whole);
    EXPECT_NE(valuesOf(kind, 4096, 4096), whole);
    EXPECT_NE(valuesOf(kind, 0, 4096, 2), whole);
  }
}

// Recorded once: these bytes are part of what a seed means, so that benchmarks on two machines run the same model.
TEST(RandomValues, AreTheSameEverywhere) {
  const std::string bytes = valuesOf({DataType::BF16, -1, 1}, 0, 1 << 20);
  EXPECT_EQ(llvm::xxh3_64bits(bytes), UINT64_C(1544512099547824436));
}

TEST(RandomValues, FloatsFillTheirRange) {
  const std::string bytes = valuesOf({DataType::BF16, 0.98, 1.02}, 0, 1 << 16);
  double sum = 0;
  float least = 2, most = 0;
  for (size_t i = 0; i < bytes.size(); i += 2) {
    uint16_t half;
    std::memcpy(&half, bytes.data() + i, 2);
    const float value = std::bit_cast<float>(uint32_t(half) << 16);
    sum += value;
    least = std::min(least, value);
    most = std::max(most, value);
  }
  EXPECT_NEAR(sum / (1 << 15), 1, 0.001);
  EXPECT_GE(least, 0.98f - 0x1p-9f); // the step of bf16 below 1 is 2^-8
  EXPECT_LE(most, 1.02f + 0x1p-8f);
  EXPECT_LT(least, 0.985f);
  EXPECT_GT(most, 1.015f);
}

TEST(RandomValues, F8HasNoNaN) {
  const std::string bytes = valuesOf({DataType::F8_E4M3}, 0, 1 << 16);
  for (char byte : bytes)
    EXPECT_LT(byte & 0x7f, 0x38) << "0x38 is 1";
  EXPECT_EQ(std::set<char>(bytes.begin(), bytes.end()).size(), 64u);
}

/// The value of an e4m3 code.
static double float8(uint8_t code) {
  const int exponent = code >> 3 & 15, fraction = code & 7;
  const double value = exponent ? std::ldexp(8 + fraction, exponent - 10) : std::ldexp(fraction, -9);
  return code & 0x80 ? -value : value;
}

/// Adds what a byte of codes is to `sum` squared.
static void addSquares(DataType type, uint8_t byte, double &sum) {
  if (type == DataType::F8_E4M3) {
    sum += float8(byte) * float8(byte);
    return;
  }
  for (int nibble : {byte & 15, byte >> 4})
    sum += (nibble - 8) * (nibble - 8);
}

TEST(RandomValues, CodesTimesScalesKeepTheVariance) {
  using import_::QuantisedHalf;
  constexpr int64_t k = 1024;
  const std::vector<std::pair<import_::WeightSpec, import_::WeightSpec>> formats = {
      {{.symbol = "a", .source = "a", .sourceShape = {512, k}, .quantised = QuantisedHalf{true, 128, 128}, .type = DataType::F8_E4M3},
       {.symbol = "b", .source = "b", .sourceShape = {4, k / 128}, .quantised = QuantisedHalf{false, 128, 128}, .type = DataType::F32}},
      {{.symbol = "a", .source = "a", .sourceShape = {512, k / 8}, .quantised = QuantisedHalf{true, 1, 32, 8}, .type = DataType::I32},
       {.symbol = "b", .source = "b", .sourceShape = {512, k / 32}, .quantised = QuantisedHalf{false, 1, 32}}}};
  for (const auto &[codes, scales] : formats) {
    const import_::InventedCheckpoint invented = import_::inventCheckpoint({codes, scales});
    ASSERT_EQ(invented.kinds.size(), 2u);
    const std::string bytes = valuesOf(invented.kinds[0], 0, 1 << 20);
    double sum = 0;
    for (char byte : bytes)
      addSquares(codes.type, static_cast<uint8_t>(byte), sum);
    const RandomKind &scale = invented.kinds[1];
    EXPECT_EQ(scale.type, scales.type);
    EXPECT_GT(scale.low, 0);
    EXPECT_DOUBLE_EQ(scale.high, 3 * scale.low);
    // The mean square of a uniform value is (low^2 + low high + high^2) / 3.
    const double squares = (scale.low * scale.low + scale.low * scale.high + scale.high * scale.high) / 3;
    const double values = codes.type == DataType::I32 ? 2 << 20 : 1 << 20;
    EXPECT_NEAR(k * squares * sum / values, 1, 0.01);
  }
}

// All 16 of them, so every byte.
TEST(RandomValues, Int4TakesEveryNibble) {
  const std::string bytes = valuesOf({DataType::I32}, 0, 1 << 16);
  EXPECT_EQ(std::set<char>(bytes.begin(), bytes.end()).size(), 256u);
}

TEST(RandomValues, MatricesKeepTheVariance) {
  const import_::WeightSpec matrix{.symbol = "m", .source = "m.{layer}", .sourceShape = {8, 300}, .numLayers = 2};
  const import_::WeightSpec norm{.symbol = "n", .source = "n", .sourceShape = {300}};
  const import_::InventedCheckpoint invented = import_::inventCheckpoint({matrix, norm});
  ASSERT_EQ(invented.kinds.size(), 2u);
  EXPECT_DOUBLE_EQ(invented.kinds[0].high * invented.kinds[0].high / 3, 1.0 / 300);
  EXPECT_EQ(invented.kinds[0].low, -invented.kinds[0].high);
  EXPECT_DOUBLE_EQ(invented.kinds[1].low + invented.kinds[1].high, 2);
  const import_::TensorLocation *first = invented.index.find("m.0"), *second = invented.index.find("m.1");
  ASSERT_TRUE(first && second && invented.index.find("n"));
  EXPECT_EQ(first->offset, 0u);
  EXPECT_EQ(second->offset, 8u * 300 * 2);
  EXPECT_EQ(first->file, second->file);
}
