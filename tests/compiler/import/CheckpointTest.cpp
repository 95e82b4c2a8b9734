// The index over safetensors headers: where tensors lie, and what it says of headers that lie or end early.
#include "compiler/import/Checkpoint.h"
#include "tests/compiler/import/TestCheckpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kimi::test {
namespace {

using import_::CheckpointIndex;
using ::testing::HasSubstr;
using ::testing::Not;

std::string openFolder(const std::string &folder) {
  llvm::Expected<CheckpointIndex> index = CheckpointIndex::open(folder);
  return index ? "opened" : llvm::toString(index.takeError());
}

TEST(Checkpoint, SaysWhereTensorsLie) {
  TestCheckpoint checkpoint;
  writeSafetensors(checkpoint.path("model.safetensors"), {{"a", "BF16", {3, 5}}, {"b", "F32", {}}, {"c", "I8", {0}}});
  llvm::Expected<CheckpointIndex> index = CheckpointIndex::open(checkpoint.path());
  ASSERT_TRUE(static_cast<bool>(index)) << llvm::toString(index.takeError());
  ASSERT_EQ(index->getFiles().size(), 1u);
  EXPECT_EQ(index->getNumTensors(), 3u);
  EXPECT_EQ(index->find("d"), nullptr);
  const import_::TensorLocation *a = index->find("a"), *b = index->find("b");
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->bytes, 30u);
  EXPECT_EQ(a->type, import_::DataType::BF16);
  EXPECT_EQ(b->offset, a->offset + 30);
  EXPECT_EQ(b->bytes, 4u);
  EXPECT_EQ(b->offset + b->bytes, std::filesystem::file_size(index->getFiles()[b->file]));
}

TEST(Checkpoint, ReadsShards) {
  TestCheckpoint checkpoint;
  checkpoint.writeShards();
  llvm::Expected<CheckpointIndex> index = CheckpointIndex::open(checkpoint.path());
  ASSERT_TRUE(static_cast<bool>(index)) << llvm::toString(index.takeError());
  EXPECT_EQ(index->getFiles().size(), 2u);
  EXPECT_EQ(index->getNumTensors(), checkpoint.tensors.size());
  EXPECT_EQ(index->find("lm_head.weight")->file, 1u);
}

struct HeaderCase {
  const char *header;
  uint64_t dataBytes;
  const char *message;
};
const HeaderCase kHeaderCases[] = {
    {"nonsense", 0, "the safetensors header is not JSON"},
    {"", 0, "the safetensors header is not JSON"},
    {"[]", 0, "is JSON but not an object"},
    {R"({"a": 1})", 0, "tensor \"a\" is not described by an object"},
    {R"({"a": {"dtype": "F7", "shape": [1], "data_offsets": [0, 2]}})", 2, "has the dtype \"F7\""},
    {R"({"a": {"shape": [1], "data_offsets": [0, 2]}})", 2, "has the dtype \"\""},
    {R"({"a": {"dtype": "BF16", "shape": [-1], "data_offsets": [0, 2]}})", 2, "has no shape of integers"},
    {R"({"a": {"dtype": "BF16", "shape": ["1"], "data_offsets": [0, 2]}})", 2, "has no shape of integers"},
    {R"({"a": {"dtype": "BF16", "data_offsets": [0, 2]}})", 2, "has no shape of integers"},
    {R"({"a": {"dtype": "BF16", "shape": [1]}})", 2, "has no data_offsets"},
    {R"({"a": {"dtype": "BF16", "shape": [1], "data_offsets": [2, 0]}})", 2, "has no data_offsets"},
    {R"({"a": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2, 4]}})", 2, "has no data_offsets"},
    {R"({"a": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}})", 2,
     "ends at byte 4 of the data but the file holds 2: it is truncated"},
    {R"({"a": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 2]}})", 2, "has 2 bytes but BF16 [2] needs 4"},
    {R"({"a": {"dtype": "BF16", "shape": [4294967296, 4294967296], "data_offsets": [0, 2]}})", 2,
     "needs more than 2^63"},
    {R"({"a": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}, "b": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}})",
     2, "begins at byte 0 of the data but the one before it ends at 2: they overlap"},
    {R"({"a": {"dtype": "BF16", "shape": [1], "data_offsets": [2, 4]}})", 4, "bytes belong to no tensor"},
    {R"({"a": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}})", 4,
     "holds 4 bytes of data but its tensors end at 2"},
    {R"({"a": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}, "a": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}})",
     2, "has the key \"a\" twice"},
    {R"({"a": {"dtype": "I8", "shape": [9223372036854775808.0], "data_offsets": [0, 2]}})", 2, "has no shape of integers"},
    {R"({"a\nb": 1})", 0, "tensor \"a\\0Ab\" is not described"},
};

TEST(CheckpointError, HeadersThatLie) {
  for (const HeaderCase &test : kHeaderCases) {
    TestCheckpoint checkpoint;
    writeRawSafetensors(checkpoint.path("model.safetensors"), std::string(test.header).size(), test.header,
                        test.dataBytes);
    const std::string message = openFolder(checkpoint.path());
    EXPECT_THAT(message, HasSubstr(test.message)) << test.header;
    EXPECT_THAT(message, Not(HasSubstr("\n")));
  }
}

TEST(CheckpointError, HeadersThatEndEarly) {
  TestCheckpoint checkpoint;
  const std::string file = checkpoint.path("model.safetensors");
  writeRawSafetensors(file, 100, "{}", 0);
  EXPECT_THAT(openFolder(checkpoint.path()), HasSubstr("says its header has 100 bytes but only 2 follow"));
  writeRawSafetensors(file, ~uint64_t{0}, "{}", 0);
  EXPECT_THAT(openFolder(checkpoint.path()), HasSubstr("says its header has 18446744073709551615 bytes but only 2"));
  writeRawSafetensors(file, 200'000'000, "{}", 300'000'000);
  EXPECT_THAT(openFolder(checkpoint.path()), HasSubstr("says its header has 200000000 bytes; at most 100000000"));
  checkpoint.writeText("model.safetensors", "1234");
  EXPECT_THAT(openFolder(checkpoint.path()), HasSubstr("has 4 bytes: too few for a safetensors header"));
  std::filesystem::remove(file);
  std::filesystem::create_directory(file);
  EXPECT_THAT(openFolder(checkpoint.path()), HasSubstr("cannot be read"));
}

TEST(CheckpointError, EveryTruncationIsRefused) {
  TestCheckpoint checkpoint;
  const std::string file = checkpoint.path("model.safetensors");
  writeSafetensors(file, {{"a", "BF16", {3, 5}}, {"b", "F32", {2}}});
  for (int64_t bytes = static_cast<int64_t>(std::filesystem::file_size(file)) - 1; bytes >= 0; --bytes) {
    std::filesystem::resize_file(file, static_cast<uint64_t>(bytes));
    EXPECT_NE(openFolder(checkpoint.path()), "opened") << bytes;
  }
}

TEST(CheckpointError, IndexFiles) {
  TestCheckpoint checkpoint;
  const char *index = "model.safetensors.index.json";
  const std::pair<const char *, const char *> cases[] = {
      {"{", "is not JSON"},
      {"{}", "has no object \"weight_map\""},
      {R"({"weight_map": {"a": 1}})", "is said to be in \"\", which is no file name"},
      {R"({"weight_map": {"a": "../a.safetensors"}})", "is said to be in \"../a.safetensors\", which is no file name"},
      {R"({"weight_map": {"a": ".."}})", "is said to be in \"..\", which is no file name"},
      {R"({"weight_map": {"a": "two\nlines"}})", "two\\0Alines: cannot be read"},
      {R"({"weight_map": {"a": "none.safetensors"}})", "none.safetensors: cannot be read"},
      {R"({"weight_map": {"a": "1.safetensors", "z": "1.safetensors"}})", "but it is in no shard"},
      {R"({"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}})", "tensor \"a\" is in "},
  };
  writeSafetensors(checkpoint.path("1.safetensors"), {{"a", "BF16", {1}}});
  writeSafetensors(checkpoint.path("2.safetensors"), {{"a", "BF16", {1}}, {"b", "BF16", {1}}});
  checkpoint.writeText(index, R"({"weight_map": {"a": ")" + std::string(256, 'x') + R"("}})");
  EXPECT_THAT(openFolder(checkpoint.path()), HasSubstr("which is no file name"));
  for (auto [text, message] : cases) {
    checkpoint.writeText(index, text);
    EXPECT_THAT(openFolder(checkpoint.path()), HasSubstr(message)) << text;
  }
  writeSafetensors(checkpoint.path("1.safetensors"), {{"a", "BF16", {1}}, {"b", "BF16", {1}}});
  checkpoint.writeText(index, R"({"weight_map": {"a": "1.safetensors"}})");
  EXPECT_THAT(openFolder(checkpoint.path()), HasSubstr("tensor \"b\" is in "));
  writeSafetensors(checkpoint.path("model.safetensors"), {});
  EXPECT_THAT(openFolder(checkpoint.path()), HasSubstr("has both model.safetensors and model.safetensors.index.json"));
}

} // namespace
} // namespace kimi::test
