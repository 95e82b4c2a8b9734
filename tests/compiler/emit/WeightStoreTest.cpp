// Weights of small checkpoints, packed; the expected bytes are written out by hand.
#include "compiler/emit/WeightStore.h"
#include "tests/compiler/emit/ScratchFolder.h"

#include "mlir/Parser/Parser.h"

#include <array>
#include <cstring>
#include <filesystem>
#include <gmock/gmock.h>

using namespace kimi;
using kimi::test::ScratchFolder;

namespace {

struct Tensor {
  std::string name, type, shape;
  std::string bytes;
};

/// `count` 16-bit values: first, first + 1, ..
std::string values(uint16_t first, size_t count) {
  std::string bytes;
  for (size_t i = 0; i < count; ++i) {
    const auto value = static_cast<uint16_t>(first + i);
    bytes.append(reinterpret_cast<const char *>(&value), 2);
  }
  return bytes;
}

std::string safetensors(const std::vector<Tensor> &tensors) {
  std::string header = "{", data;
  for (const Tensor &tensor : tensors) {
    header += (header.size() > 1 ? ",\"" : "\"") + tensor.name + "\":{\"dtype\":\"" + tensor.type + "\",\"shape\":" +
              tensor.shape + ",\"data_offsets\":[" + std::to_string(data.size()) + "," +
              std::to_string(data.size() + tensor.bytes.size()) + "]}";
    data += tensor.bytes;
  }
  header += "}";
  uint64_t length = header.size();
  return std::string(reinterpret_cast<const char *>(&length), 8) + header + data;
}

class WeightStoreTest : public testing::Test {
protected:
  WeightStoreTest() { context.loadDialect<plan::PlanDialect>(); }

  /// Packs `weights` (plan.weight operations) from `tensors` into `folder`/out. The error's text, or "".
  std::string pack(const std::vector<Tensor> &tensors, const std::string &weights, const std::string &out = "out",
                   unsigned threads = 2) {
    if (const std::string file = safetensors(tensors); file != written)
      folder.write("model/model.safetensors", written = file);
    std::filesystem::create_directories(folder.path(out + "/weights"));
    auto module = mlir::parseSourceString<mlir::ModuleOp>("module {\n" + weights + "\n}", &context);
    EXPECT_TRUE(bool(module));
    llvm::Expected<import_::CheckpointIndex> checkpoint = import_::CheckpointIndex::open(folder.path("model"));
    if (!checkpoint)
      return llvm::toString(checkpoint.takeError());
    std::vector<emit::PackLog> logs = {emit::PackLog::read(folder.path(out))};
    if (!earlier.empty())
      logs.push_back(emit::PackLog::read(folder.path(earlier)));
    llvm::Expected<emit::SourceFiles> sources = emit::SourceFiles::open(*checkpoint);
    if (!sources)
      return llvm::toString(sources.takeError());
    llvm::Expected<emit::PackedWeights> result =
        emit::packWeights(*module, *checkpoint, *sources, {folder.path(out), logs, threads});
    if (!result)
      return llvm::toString(result.takeError());
    packed = std::move(*result);
    return "";
  }

  /// What was packed for layer number `index` of `weight`, without the padding.
  std::string bytesOf(const std::string &weight, size_t index, size_t bytes) {
    const emit::FileRecord &record = packed.files[packed.slices[weight][index].file];
    const std::string all = folder.read("out/" + record.path);
    EXPECT_EQ(all.size() % 4096, 0u);
    EXPECT_EQ(all.size(), record.bytes);
    EXPECT_EQ(emit::hashOf(all), record.hash);
    return all.substr(0, bytes);
  }

  ScratchFolder folder;
  mlir::MLIRContext context;
  std::string written; // the checkpoint that is there
  std::string earlier; // folder of an artifact that offers its weights
  emit::PackedWeights packed;
};

TEST_F(WeightStoreTest, RowMajorIsACopy) {
  ASSERT_EQ(pack({{"a", "BF16", "[3,5]", values(1, 15)}},
                 "plan.weight @a : tensor<3x5xbf16> packs tensor<3x5xbf16> layout <row_major, 1> from \"a\""),
            "");
  EXPECT_EQ(bytesOf("a", 0, 30), values(1, 15));
}

TEST_F(WeightStoreTest, PanelsHoldSixteenRowsSideBySide) {
  ASSERT_EQ(pack({{"a", "BF16", "[32,3]", values(0, 96)}},
                 "plan.weight @a : tensor<2x3x16xbf16> packs tensor<32x3xbf16> layout <panel, 16> from \"a\""),
            "");
  std::string expected;
  for (int panel = 0; panel < 2; ++panel)
    for (int k = 0; k < 3; ++k)
      for (int n = 0; n < 16; ++n)
        expected += values(static_cast<uint16_t>((panel * 16 + n) * 3 + k), 1);
  EXPECT_EQ(bytesOf("a", 0, expected.size()), expected);
}

TEST_F(WeightStoreTest, ExpertsAreStackedLayerByLayer) {
  std::vector<Tensor> tensors;
  for (int layer = 1; layer < 3; ++layer)
    for (int expert = 0; expert < 2; ++expert)
      tensors.push_back({"l." + std::to_string(layer) + ".e." + std::to_string(expert), "BF16", "[2,2]",
                         values(static_cast<uint16_t>(layer * 100 + expert * 10), 4)});
  ASSERT_EQ(pack(tensors, "plan.weight @a : tensor<2x2x2xbf16> packs tensor<2x2x2xbf16> layout <row_major, 1> "
                          "from \"l.{layer}.e.{expert}\" layers 1 count 2 experts 2"),
            "");
  ASSERT_EQ(packed.slices["a"].size(), 2u);
  EXPECT_EQ(bytesOf("a", 0, 16), values(100, 4) + values(110, 4));
  EXPECT_EQ(bytesOf("a", 1, 16), values(200, 4) + values(210, 4));
}

// kv_b_proj: per head, 2 key rows, then 1 value row, of 2 columns.
TEST_F(WeightStoreTest, RowsTakePartOfEveryGroup) {
  ASSERT_EQ(pack({{"kv", "BF16", "[6,2]", values(0, 12)}},
                 "plan.weight @key : tensor<2x2x2xbf16> packs tensor<2x2x2xbf16> layout <row_major, 1> from \"kv\" "
                 "rows <groups = 2, of = 3, 0 to 2>\n"
                 "plan.weight @value : tensor<2x1x2xbf16> packs tensor<2x1x2xbf16> layout <row_major, 1> from \"kv\" "
                 "rows <groups = 2, of = 3, 2 to 3>"),
            "");
  EXPECT_EQ(bytesOf("key", 0, 16), values(0, 4) + values(6, 4));
  EXPECT_EQ(bytesOf("value", 0, 8), values(4, 2) + values(10, 2));
}

TEST_F(WeightStoreTest, WideningIsExact) {
  // bf16 1.0, -2.0; f16 1.0, its smallest subnormal.
  ASSERT_EQ(pack({{"b", "BF16", "[2]", std::string("\x80\x3f\x00\xc0", 4)},
                  {"h", "F16", "[2]", std::string("\x00\x3c\x01\x00", 4)}},
                 "plan.weight @b : tensor<2xf32> packs tensor<2xf32> layout <row_major, 1> from \"b\"\n"
                 "plan.weight @h : tensor<2xf32> packs tensor<2xf32> layout <row_major, 1> from \"h\""),
            "");
  float found[2];
  std::memcpy(found, bytesOf("b", 0, 8).data(), 8);
  EXPECT_THAT(found, testing::ElementsAre(1.0f, -2.0f));
  std::memcpy(found, bytesOf("h", 0, 8).data(), 8);
  EXPECT_THAT(found, testing::ElementsAre(1.0f, 0x1p-24f));
}

// e4m3 codes are bytes; scales of kv_b rows are those of their block: here blocks of 2 rows, heads of 3.
TEST_F(WeightStoreTest, RowsOfCodesBringTheScalesOfTheirBlocks) {
  const std::string scales("\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40", 12); // 1, 2, 3
  ASSERT_EQ(pack({{"kv", "F8_E4M3", "[6,2]", "abcdefghijkl"}, {"kv_s", "F32", "[3,1]", scales}},
                 "plan.weight @key : tensor<2x2x2xf8E4M3FN> packs tensor<2x2x2xf8E4M3FN> layout <row_major, 1> from \"kv\" "
                 "rows <groups = 2, of = 3, 0 to 2> quantised <codes 2 x 2>\n"
                 "plan.weight @key_s : tensor<2x2x1xf32> packs tensor<2x2x1xf32> layout <row_major, 1> from \"kv_s\" "
                 "rows <groups = 2, of = 3, 0 to 2> quantised <scales 2 x 2>\n"
                 "plan.weight @value_s : tensor<2x1x1xf32> packs tensor<2x1x1xf32> layout <row_major, 1> from \"kv_s\" "
                 "rows <groups = 2, of = 3, 2 to 3> quantised <scales 2 x 2>"),
            "");
  EXPECT_EQ(bytesOf("key", 0, 8), "abcdghij");
  float found[4];
  std::memcpy(found, bytesOf("key_s", 0, 16).data(), 16);
  EXPECT_THAT(found, testing::ElementsAre(1, 1, 2, 3)); // rows 0, 1, 3, 4
  std::memcpy(found, bytesOf("value_s", 0, 8).data(), 8);
  EXPECT_THAT(llvm::ArrayRef(found).take_front(2), testing::ElementsAre(2, 3)); // rows 2, 5
}

// Nibbles in an int32, lowest first, are bytes in the same order; panels hold one byte of 16 rows side by side.
TEST_F(WeightStoreTest, Int4CodesAreBytes) {
  ASSERT_EQ(pack({{"p", "I32", "[16,1]", values(0, 32)}},
                 "plan.weight @rows : tensor<16x4xi8> packs tensor<16x8xi4> layout <row_major, 1> from \"p\" "
                 "quantised <codes 1 x 32>\n"
                 "plan.weight @panels : tensor<1x4x16xi8> packs tensor<16x8xi4> layout <panel, 16> from \"p\" "
                 "quantised <codes 1 x 32>"),
            "");
  EXPECT_EQ(bytesOf("rows", 0, 64), values(0, 32));
  const std::string source = values(0, 32), found = bytesOf("panels", 0, 64);
  for (size_t byte = 0; byte < 4; ++byte)
    for (size_t row = 0; row < 16; ++row)
      EXPECT_EQ(found[byte * 16 + row], source[row * 4 + byte]);
}

TEST_F(WeightStoreTest, WhatIsNoNumberIsNamed) {
  const std::string codes = "plan.weight @c : tensor<2x2xf8E4M3FN> packs tensor<2x2xf8E4M3FN> layout <row_major, 1> from "
                            "\"c\" quantised <codes 128 x 128>";
  EXPECT_EQ(pack({{"c", "F8_E4M3", "[2,2]", "ab\xff" "d"}}, codes),
            "tensor \"c\" holds at element 2 the code 0xff, which is no number: the checkpoint is damaged, download it "
            "again");
  const std::string rows = "plan.weight @c : tensor<2x1x2xf8E4M3FN> packs tensor<2x1x2xf8E4M3FN> layout <row_major, 1> from "
                           "\"c\" rows <groups = 2, of = 2, 1 to 2> quantised <codes 128 x 128>";
  EXPECT_THAT(pack({{"c", "F8_E4M3", "[4,2]", "abcdefg\x7f"}}, rows), testing::HasSubstr("at element 7 the code 0x7f"));
  const std::string scales = "plan.weight @s : tensor<1x2xf32> packs tensor<1x2xf32> layout <row_major, 1> from \"s\" "
                             "quantised <scales 128 x 128>";
  EXPECT_EQ(pack({{"s", "F32", "[1,2]", std::string("\0\0\x80\x3f\0\0\x80\x7f", 8)}}, scales),
            "tensor \"s\" holds at element 1 the scale inf, which is not a finite number below 2^119: the checkpoint is "
            "damaged, download it again");
  const std::string small = "plan.weight @s : tensor<1x2xbf16> packs tensor<1x2xbf16> layout <row_major, 1> from \"s\" "
                            "quantised <scales 1 x 32>";
  EXPECT_THAT(pack({{"s", "BF16", "[1,2]", std::string("\xc0\x7f\x80\x3f", 4)}}, small),
              testing::HasSubstr("at element 0 the scale nan"));
}

// Larger than one piece of the stream, and not a multiple of it.
TEST_F(WeightStoreTest, LargeWeightsAreStreamed) {
  const int rows = 1600, columns = 2000;
  const std::string bytes = values(7, size_t(rows) * columns);
  ASSERT_EQ(pack({{"a", "BF16", "[1600,2000]", bytes}},
                 "plan.weight @a : tensor<100x2000x16xbf16> packs tensor<1600x2000xbf16> layout <panel, 16> from \"a\""),
            "");
  const std::string found = bytesOf("a", 0, bytes.size());
  for (int row : {0, 15, 16, 1039, 1599})
    for (int column : {0, 1, 1999})
      EXPECT_EQ(found.substr(((size_t(row / 16) * columns + column) * 16 + row % 16) * 2, 2),
                bytes.substr((size_t(row) * columns + column) * 2, 2))
          << row << ", " << column;
}

TEST_F(WeightStoreTest, EqualWeightsAreOneFile) {
  ASSERT_EQ(pack({{"a", "BF16", "[4]", values(1, 4)}},
                 "plan.weight @a : tensor<4xbf16> packs tensor<4xbf16> layout <row_major, 1> from \"a\"\n"
                 "plan.weight @tied : tensor<4xbf16> packs tensor<4xbf16> layout <row_major, 1> from \"a\""),
            "");
  EXPECT_EQ(packed.files.size(), 1u);
  EXPECT_EQ(packed.slices["a"][0].file, packed.slices["tied"][0].file);
}

TEST_F(WeightStoreTest, FilesAreNamedByTheirHash) {
  const std::string rowMajor =
      "plan.weight @a : tensor<16x4xbf16> packs tensor<16x4xbf16> layout <row_major, 1> from \"a\"";
  const std::string panels =
      "plan.weight @a : tensor<1x4x16xbf16> packs tensor<16x4xbf16> layout <panel, 16> from \"a\"";
  auto nameOf = [&](uint16_t first, const std::string &weight, unsigned threads) {
    EXPECT_EQ(pack({{"a", "BF16", "[16,4]", values(first, 64)}}, weight, "out", threads), "");
    const std::string path = packed.files[0].path;
    EXPECT_EQ(path, "weights/" + emit::hashOf(folder.read("out/" + path)) + ".bin");
    return path;
  };
  const std::string name = nameOf(1, rowMajor, 1);
  EXPECT_EQ(nameOf(1, rowMajor, 2), name);
  EXPECT_NE(nameOf(2, rowMajor, 1), name);
  EXPECT_NE(nameOf(1, panels, 1), name);
}

const char *kTwoWeights = "plan.weight @a : tensor<4xbf16> packs tensor<4xbf16> layout <row_major, 1> from \"a\"\n"
                          "plan.weight @b : tensor<4xbf16> packs tensor<4xbf16> layout <row_major, 1> from \"b\"";
const std::vector<Tensor> kTwoTensors = {{"a", "BF16", "[4]", values(1, 4)}, {"b", "BF16", "[4]", values(9, 4)}};

TEST_F(WeightStoreTest, WhatAnEarlierArtifactHasIsLinked) {
  ASSERT_EQ(pack(kTwoTensors, kTwoWeights, "first"), "");
  EXPECT_EQ(packed.reused, 0u);
  EXPECT_TRUE(packed.verified.empty());
  earlier = "first";
  ASSERT_EQ(pack(kTwoTensors, kTwoWeights), "");
  EXPECT_EQ(packed.reused, 2u);
  EXPECT_EQ(packed.packedBytes, 0u);
  for (const emit::FileRecord &file : packed.files) {
    EXPECT_TRUE(std::filesystem::equivalent(folder.path("first/" + file.path), folder.path("out/" + file.path)));
    EXPECT_TRUE(packed.verified.contains(file.path));
  }
  EXPECT_EQ(folder.read("first/pack.jsonl"), folder.read("out/pack.jsonl"));
  EXPECT_EQ(bytesOf("b", 0, 8), values(9, 4));
}

// Equal bytes in a file that was written again are other bytes as long as nobody has read them.
TEST_F(WeightStoreTest, ACheckpointThatChangedIsReadAgain) {
  ASSERT_EQ(pack(kTwoTensors, kTwoWeights), "");
  ASSERT_EQ(pack({{"a", "BF16", "[4]", values(1, 4)}, {"b", "BF16", "[4]", values(99, 4)}}, kTwoWeights), "");
  EXPECT_EQ(packed.reused, 0u);
  EXPECT_EQ(bytesOf("a", 0, 8), values(1, 4));
  EXPECT_EQ(bytesOf("b", 0, 8), values(99, 4));
}

TEST_F(WeightStoreTest, DamagedFilesAreMadeAnew) {
  ASSERT_EQ(pack(kTwoTensors, kTwoWeights), "");
  const std::string path = packed.files[packed.slices["a"][0].file].path;
  std::string damaged = folder.read("out/" + path);
  damaged[1] ^= 1;
  folder.write("out/" + path, damaged);
  ASSERT_EQ(pack(kTwoTensors, kTwoWeights), "");
  EXPECT_EQ(packed.reused, 1u);
  EXPECT_EQ(bytesOf("a", 0, 8), values(1, 4));
  std::filesystem::remove(folder.path("out/" + path));
  ASSERT_EQ(pack(kTwoTensors, kTwoWeights), "");
  EXPECT_EQ(packed.reused, 1u);
}

// Everything that decides a file's bytes is in its recipe: what is taken over would otherwise be another weight's.
TEST_F(WeightStoreTest, OtherRowsOfScalesAreAnotherRecipe) {
  const std::string scales("\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40", 12); // 1, 2, 3
  auto scalesOf = [&](const std::string &rows, const std::string &block) {
    return pack({{"s", "F32", "[3,1]", scales}},
                "plan.weight @s : tensor<2x2x1xf32> packs tensor<2x2x1xf32> layout <row_major, 1> from \"s\" rows " + rows +
                    " quantised <scales " + block + " x 2>");
  };
  auto found = [&] {
    std::array<float, 4> values;
    std::memcpy(values.data(), bytesOf("s", 0, 16).data(), 16);
    return values;
  };
  ASSERT_EQ(scalesOf("<groups = 2, of = 3, 0 to 2>", "2"), "");
  EXPECT_THAT(found(), testing::ElementsAre(1, 1, 2, 3));
  ASSERT_EQ(scalesOf("<groups = 2, of = 3, 1 to 3>", "2"), "");
  EXPECT_EQ(packed.reused, 0u);
  EXPECT_THAT(found(), testing::ElementsAre(1, 2, 3, 3));
  ASSERT_EQ(scalesOf("<groups = 2, of = 3, 1 to 3>", "2"), "");
  EXPECT_EQ(packed.reused, 1u);
  EXPECT_THAT(found(), testing::ElementsAre(1, 2, 3, 3));
}

TEST_F(WeightStoreTest, WhatNobodyWantsIsRemoved) {
  folder.write("out/weights/0.part", "half");
  folder.write("out/weights/00000000000000000000000000000000.bin", "of another checkpoint");
  ASSERT_EQ(pack(kTwoTensors, kTwoWeights), "");
  size_t count = 0;
  for (const auto &entry : std::filesystem::directory_iterator(folder.path("out/weights")))
    count += entry.is_regular_file();
  EXPECT_EQ(count, 2u);
}

// The index was read, then the file shrank.
TEST_F(WeightStoreTest, ShortReadsNameFileAndBytes) {
  ASSERT_EQ(pack(kTwoTensors, kTwoWeights), "");
  llvm::Expected<import_::CheckpointIndex> checkpoint = import_::CheckpointIndex::open(folder.path("model"));
  ASSERT_TRUE(bool(checkpoint));
  llvm::Expected<emit::SourceFiles> sources = emit::SourceFiles::open(*checkpoint);
  ASSERT_TRUE(bool(sources));
  const std::string path = folder.path("model/model.safetensors");
  std::filesystem::resize_file(path, written.size() - 3);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(std::string("module {\n") + kTwoWeights + "\n}", &context);
  std::filesystem::create_directories(folder.path("short/weights"));
  llvm::Expected<emit::PackedWeights> result = emit::packWeights(*module, *checkpoint, *sources, {folder.path("short")});
  ASSERT_FALSE(bool(result));
  EXPECT_EQ(llvm::toString(result.takeError()),
            path + " has " + std::to_string(written.size() - 3) + " bytes but " + std::to_string(written.size()) +
                " were expected: it was truncated meanwhile; fetch it again and run the same command");
}

TEST_F(WeightStoreTest, ErrorsNameTensorAndWeight) {
  const std::string weight = "plan.weight @a : tensor<4xbf16> packs tensor<4xbf16> layout <row_major, 1> from \"a\"";
  EXPECT_EQ(pack({{"b", "BF16", "[4]", values(1, 4)}}, weight),
            "the checkpoint has no tensor \"a\" for weight a: was the dump made from another checkpoint?");
  EXPECT_EQ(pack({{"a", "BF16", "[2,2]", values(1, 4)}}, weight), "tensor \"a\" is [2, 2] but weight a needs [4]");
  EXPECT_EQ(pack({{"a", "F32", "[4]", values(1, 8)}}, weight),
            "tensor \"a\" is F32 but weight a is bf16: that conversion would lose bits");
  EXPECT_EQ(pack({{"e.0", "BF16", "[4]", values(1, 4)}, {"e.1", "F16", "[4]", values(1, 4)}},
                 "plan.weight @a : tensor<2x4xf32> packs tensor<2x4xf32> layout <row_major, 1> from \"e.{expert}\" "
                 "experts 2"),
            "tensor \"e.1\" is F16 but others of weight a are BF16");
}

} // namespace
