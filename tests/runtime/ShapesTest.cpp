// Artifacts that hold shapes of weights only (kimic --weights=shapes): values are made where the model runs,
// and nowhere else.
#include "runtime/engine/Artifact.h"
#include "runtime/engine/ShapeValues.h"
#include "tests/runtime/CudaToy.h"

#include <cmath>
#include <cstring>
#include <set>

namespace kimi::test {

using namespace artifact;

static constexpr uint32_t kEmbeddingFile = 1, kBiasFile = 2;

class ShapesTest : public CudaTest {
protected:
  /// Both weights are shapes; no file of them exists.
  static void useShapes(PlanT &plan) {
    plan.files[kEmbeddingFile]->is_shape = plan.files[kBiasFile]->is_shape = true;
  }

  /// A weight whose file nobody could fill: 32 TiB.
  static void useHugeShapes(PlanT &plan) {
    useShapes(plan);
    plan.files[kEmbeddingFile]->bytes = uint64_t(1) << 45;
  }

  std::filesystem::path write(bool isCuda, const std::function<void(PlanT &)> &edit) {
    auto directory =
        isCuda ? writeToyCudaArtifact(scratch.path(), edit) : writeToyArtifact(scratch.path(), edit);
    std::filesystem::remove_all(directory / "weights");
    return directory;
  }

  std::string loadError(const std::filesystem::path &directory) {
    auto loaded = Engine::load(directory, defaultOptions());
    EXPECT_FALSE(loaded.has_value());
    return loaded ? "" : loaded.error().message;
  }
};

TEST_F(ShapesTest, RunOnBothTargets) {
  for (bool isCuda : {false, true}) {
    auto loaded = Engine::load(write(isCuda, useShapes), defaultOptions());
    ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
    engine = std::move(*loaded);
    runStep({{0, {1}, {0}}, {0, {96}, {1}}});
    // Embeddings are 1/64, biases 0: every token is as good as any.
    for (float logit : engine->outputs().logits)
      EXPECT_EQ(logit, kToyHidden / 4096.0f);
    EXPECT_EQ(engine->outputs().sampledTokens[1], 0);
    // On the CPU weights are hashed where they lie: of shapes there is nothing to read.
    uint64_t streamed = kToyVocabulary * kToyHidden * 4 + (kToyLayers - 1) * 64 + kToyHidden * 4;
    EXPECT_EQ(engine->loadReport().weightBytes, isCuda ? streamed : 0);
    engine.reset();
  }
}

TEST_F(ShapesTest, ReportCountsWhatIsRead) {
  auto directory =
      writeToyArtifact(scratch.path(), [](PlanT &plan) { plan.files[kEmbeddingFile]->is_shape = true; });
  auto loaded = Engine::load(directory, defaultOptions());
  ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
  EXPECT_EQ((*loaded)->loadReport().weightBytes, std::filesystem::file_size(directory / "weights/bias"));
}

TEST_F(ShapesTest, OpeningMakesNothing) {
  for (bool isCuda : {false, true}) {
    auto huge = runtime::Artifact::open(write(isCuda, useHugeShapes), {});
    ASSERT_TRUE(huge.has_value()) << huge.error().message;
    EXPECT_TRUE(huge->file(kEmbeddingFile).empty());
    EXPECT_TRUE(huge->verifyWeights(2, {}).has_value());
    auto opened = runtime::Artifact::open(write(isCuda, useShapes), {});
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    EXPECT_TRUE(opened->file(kBiasFile).empty());
    ASSERT_TRUE(opened->makeShapes(2).has_value());
    EXPECT_EQ(opened->file(kBiasFile).size(), (kToyLayers - 1) * 64 + kToyHidden * 4);
    EXPECT_EQ(opened->file(kEmbeddingFile).size(), kToyVocabulary * kToyHidden * 4);
  }
}

TEST_F(ShapesTest, TooLittleMemorySaysSoBeforeAnythingIsTaken) {
  expectOneLine(loadError(write(/*isCuda=*/false, useHugeShapes)),
                {"toy.kimi", "too little memory: weights 32.0 TiB", "kimic --layers"});
  expectOneLine(loadError(write(/*isCuda=*/true, useHugeShapes)), {"too little memory: weights 32.0 TiB"});
  fake->memoryBytes = uint64_t(1) << 46; // the device has room, the host does not
  expectOneLine(loadError(write(/*isCuda=*/true, useHugeShapes)),
                {"toy.kimi",
                 "the artifact holds shapes of weights (--weights=shapes): 32.0 TiB of memory are needed to "
                 "make them up, ",
                 "compile fewer --layers"});
  EXPECT_EQ(fake->copiesToDevice, 0);
  EXPECT_EQ(fake->liveHandles, 0);
}

// --- The values ---

static std::vector<std::byte> valuesOf(DataType type, std::vector<int64_t> shape) {
  WeightT weight;
  weight.name = "w";
  weight.type = type;
  weight.shape = std::move(shape);
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(Weight::Pack(builder, &weight));
  std::vector<std::byte> memory(1 << 16);
  runtime::fillShape(*flatbuffers::GetRoot<Weight>(builder.GetBufferPointer()), memory, 3);
  return memory;
}

template <typename Bits> static std::vector<Bits> bitsOf(const std::vector<std::byte> &memory) {
  std::vector<Bits> bits(memory.size() / sizeof(Bits));
  std::memcpy(bits.data(), memory.data(), memory.size());
  return bits;
}

/// Of a float with so many bits of exponent and mantissa.
static float decode(uint32_t bits, int exponentBits, int mantissaBits) {
  int bias = (1 << (exponentBits - 1)) - 1, exponent = int(bits >> mantissaBits & ((1u << exponentBits) - 1));
  float mantissa = float(bits & ((1u << mantissaBits) - 1)) / float(1u << mantissaBits);
  float size = exponent ? std::ldexp(1 + mantissa, exponent - bias) : std::ldexp(mantissa, 1 - bias);
  return bits >> (exponentBits + mantissaBits) & 1 ? -size : size;
}

template <typename Bits>
static void expectSizes(DataType type, int exponentBits, int mantissaBits, float low, float high) {
  std::set<Bits> different;
  int numNegative = 0, numValues = 0;
  for (Bits bits : bitsOf<Bits>(valuesOf(type, {256, 256}))) {
    float value = decode(bits, exponentBits, mantissaBits);
    ASSERT_GE(std::abs(value), low) << EnumNameDataType(type);
    ASSERT_LT(std::abs(value), high) << EnumNameDataType(type);
    different.insert(bits);
    numNegative += value < 0, ++numValues;
  }
  EXPECT_GE(different.size(), size_t(16)) << EnumNameDataType(type);
  EXPECT_NEAR(double(numNegative) / numValues, 0.5, 0.1) << EnumNameDataType(type);
}

TEST(ShapeValuesTest, MatricesAreFiniteAndOfASaneSize) {
  expectSizes<uint8_t>(DataType::f8e4m3, 4, 3, 0.5f, 2);
  expectSizes<uint16_t>(DataType::bf16, 8, 7, 1 / 64.0f, 1 / 32.0f);
  expectSizes<uint16_t>(DataType::f16, 5, 10, 1 / 64.0f, 1 / 32.0f);
  for (uint32_t bits : bitsOf<uint32_t>(valuesOf(DataType::f32, {128, 128})))
    ASSERT_EQ(decode(bits, 8, 23), 1 / 64.0f);
}

TEST(ShapeValuesTest, Vectors) {
  for (uint16_t bits : bitsOf<uint16_t>(valuesOf(DataType::bf16, {7168})))
    ASSERT_EQ(decode(bits, 8, 7), 1);
  for (uint16_t bits : bitsOf<uint16_t>(valuesOf(DataType::f16, {7168})))
    ASSERT_EQ(decode(bits, 5, 10), 1);
  for (uint32_t bits : bitsOf<uint32_t>(valuesOf(DataType::f32, {384})))
    ASSERT_EQ(bits, 0u);
}

TEST(ShapeValuesTest, Integers) {
  for (DataType type : {DataType::i8, DataType::u8}) {
    std::set<uint8_t> different;
    for (uint8_t code : bitsOf<uint8_t>(valuesOf(type, {256, 256})))
      different.insert(code);
    EXPECT_EQ(different.size(), 256u); // every pair of nibbles
  }
  for (DataType type : {DataType::i32, DataType::u32, DataType::i64})
    for (std::byte byte : valuesOf(type, {64, 64}))
      ASSERT_EQ(byte, std::byte(0)); // an index into anything
}

} // namespace kimi::test
