// Every way in which the tokenizer's files can be wrong, and what the message says.
#include "server/text/Tokenizer.h"

#include "tests/server/text/SmallModel.h"

#include <gtest/gtest.h>

namespace kimi::text {

namespace {

class TokenizerErrors : public testing::Test {
protected:
  void SetUp() override { writeSmallModel(folder); }

  /// The message without the folder's path.
  std::string error() const {
    const Expected<Tokenizer> tokenizer = Tokenizer::load(folder.path());
    if (tokenizer)
      return "loaded";
    std::string message = tokenizer.error().message;
    const std::string prefix = folder.path().string() + "/";
    for (size_t at; (at = message.find(prefix)) != std::string::npos;)
      message.erase(at, prefix.size());
    return message;
  }

  void expectError(std::string_view start) const { EXPECT_EQ(error().substr(0, start.size()), start); }

  const TemporaryFolder folder;
};

} // namespace

TEST_F(TokenizerErrors, MissingFiles) {
  for (const char *name : {"tiktoken.model", "tokenizer_config.json", "config.json"}) {
    writeSmallModel(folder);
    std::filesystem::remove(folder.path() / name);
    expectError(std::string(name) + ": cannot open: No such file");
  }
}

TEST_F(TokenizerErrors, FolderInPlaceOfAFile) {
  std::filesystem::remove(folder.path() / "tiktoken.model");
  std::filesystem::create_directory(folder.path() / "tiktoken.model");
  expectError("tiktoken.model: is a folder where a file was expected");
}

TEST_F(TokenizerErrors, MalformedBase64) {
  folder.write("tiktoken.model", "!!!! 0\n");
  expectError("tiktoken.model: line 1: found \"!!!! 0\", expected base64, one space and a rank");
  for (const char *line :
       {"AA=A 0\n", "A 0\n", "====\n", " 0\n", "AA==\n", "= 0\n", "AA== x\n", "AA== 0 \n", "AA== -1\n"}) {
    folder.write("tiktoken.model", line);
    expectError("tiktoken.model: line 1: found ");
  }
}

TEST_F(TokenizerErrors, RankBeyondTheNumberOfLines) {
  folder.write("tiktoken.model", "AA== 0\nAQ== 99999999999\n");
  expectError("tiktoken.model: line 2: found \"AQ== 99999999999\", expected a rank from 0 to 2");
}

TEST_F(TokenizerErrors, RankTwice) {
  folder.write("tiktoken.model", "AA== 0\nAQ== 0\n");
  expectError("tiktoken.model: line 2: found rank 0 a second time, expected each rank once");
}

TEST_F(TokenizerErrors, TokenTwice) {
  folder.write("tiktoken.model", "AA== 0\nAA== 1\n");
  expectError("tiktoken.model: ranks 0 and 1 have the same bytes");
}

TEST_F(TokenizerErrors, GapInTheRanks) {
  folder.write("tiktoken.model", "AA== 0\nAQ== 2\n");
  expectError("tiktoken.model: has no line for rank 1 but one for rank 2");
}

TEST_F(TokenizerErrors, MissingByte) {
  folder.write("tiktoken.model", "AA== 0\n");
  expectError("tiktoken.model: has no token for the single byte 0x01");
  folder.write("tiktoken.model", "");
  expectError("tiktoken.model: has no token for the single byte 0x00");
}

TEST_F(TokenizerErrors, OrderBlankLinesAndCarriageReturnsDoNotMatter) {
  std::string reversed;
  for (int byte = 255; byte >= 0; --byte)
    reversed += base64(std::string(1, char(byte))) + " " + std::to_string(byte) + "\r\n\n";
  folder.write("tiktoken.model", reversed);
  folder.write("tokenizer_config.json", R"({"added_tokens_decoder": {}})");
  EXPECT_EQ(error(), "loaded");
}

TEST_F(TokenizerErrors, NotJson) {
  folder.write("config.json", "{\"vocab_size\": ");
  expectError("config.json: is not JSON at byte ");
  folder.write("config.json", "[]");
  expectError("config.json: holds JSON of kind array where an object was expected");
  folder.write("config.json", "{} {}");
  expectError("config.json: is not JSON at byte 3: ");
}

TEST_F(TokenizerErrors, VocabSize) {
  for (const char *config :
       {"{}", R"({"vocab_size": "x"})", R"({"vocab_size": 0})", R"({"vocab_size": 1e3})"}) {
    folder.write("config.json", config);
    expectError("config.json: has no vocab_size (a positive integer, at the top or in text_config)");
  }
  folder.write("config.json", R"({"vocab_size": 100})");
  expectError("config.json: vocab_size is 100 but tiktoken.model has 264 ranks");
  folder.write("config.json", R"({"vocab_size": 2000000000})");
  expectError("tokenizer_config.json: vocab_size 2000000000 of config.json leaves 1999999736 ids");
  folder.write("config.json", R"({"text_config": {"vocab_size": 520}})");
  EXPECT_EQ(error(), "loaded");
}

TEST_F(TokenizerErrors, AddedTokens) {
  const auto expectEntryError = [&](std::string_view entry, std::string_view message) {
    folder.write("tokenizer_config.json", "{\"added_tokens_decoder\": {" + std::string(entry) + "}}");
    expectError("tokenizer_config.json: added_tokens_decoder" + std::string(message));
  };
  folder.write("tokenizer_config.json", "{}");
  expectError("tokenizer_config.json: has no object added_tokens_decoder");
  expectEntryError(R"("x": {"content": "a"})", "[\"x\"] is not an id");
  expectEntryError(R"("-1": {"content": "a"})", "[\"-1\"] is not an id");
  expectEntryError(R"("5": {"content": "a"})",
                   "[\"5\"] has an id below 264, which tiktoken.model already gives");
  expectEntryError(R"("300": {"content": ""})", "[\"300\"] has no text \"content\"");
  expectEntryError(R"("300": "a")", "[\"300\"] has no text \"content\"");
  expectEntryError(R"("300": {"content": "a"}, "301": {"content": "a"})", " gives \"a\" to ids 300 and 301");
}

} // namespace kimi::text
