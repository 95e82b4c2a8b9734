#include "server/text/ModelText.h"

#include "tests/server/text/SmallModel.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace kimi::text {

namespace {

class ModelTextTest : public testing::Test {
protected:
  void SetUp() override { writeSmallModel(folder); }

  Expected<ModelText> load() const { return ModelText::load(folder.path(), "k2-thinking"); }

  std::string error() const {
    const auto loaded = load();
    return loaded ? "loaded" : loaded.error().message.substr(folder.path().string().size() + 1);
  }

  const TemporaryFolder folder;
};

} // namespace

TEST_F(ModelTextTest, CollectsStopIdsFromEverywhere) {
  folder.write("generation_config.json", R"({"eos_token_id": [5, 266]})");
  const auto model = load();
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->stopIds, std::vector<TokenId>({5, kEos, kImEnd, kEot}));
  EXPECT_TRUE(model->isStop(kImEnd));
  EXPECT_FALSE(model->isStop(kThink));
}

TEST_F(ModelTextTest, OneStopIdIsEnough) {
  folder.write("generation_config.json", R"({"eos_token_id": 7})");
  EXPECT_EQ(load()->stopIds, std::vector<TokenId>({7, kEos, kImEnd, kEot}));
  std::filesystem::remove(folder.path() / "generation_config.json");
  EXPECT_EQ(load()->stopIds, std::vector<TokenId>({kEos, kImEnd, kEot}));
}

TEST_F(ModelTextTest, MarkersAndContext) {
  const auto model = load();
  EXPECT_EQ(model->contextLength, 4096);
  EXPECT_EQ(model->chatFormat.name(), "k2-thinking");
  EXPECT_EQ(model->markers.imEnd, kImEnd);
  EXPECT_EQ(model->markers.thinkBegin, kThink);
  EXPECT_EQ(model->markers.thinkEnd, kThinkEnd);
  EXPECT_EQ(model->markers.toolCallsSectionBegin, kFirstSpecial + 11);
  EXPECT_EQ(model->markers.toolCallEnd, kFirstSpecial + 15);
}

TEST_F(ModelTextTest, MultimodalConfigsNestTheLanguageModel) {
  folder.write("config.json", fmt::format(R"({{"model_type": "kimi_k25", "text_config": {{"vocab_size": {},
      "max_position_embeddings": 262144, "eos_token_id": 3}}}})",
                                          kVocabSize));
  const auto model = ModelText::load(folder.path());
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->contextLength, 262144);
  EXPECT_EQ(model->chatFormat.name(), "k2.5");
  EXPECT_TRUE(model->isStop(3));
}

TEST_F(ModelTextTest, ReleasesWithoutThinkHaveNoThinkMarkers) {
  folder.write("tokenizer_config.json", R"({"added_tokens_decoder": {"266": {"content": "<|im_end|>"}}})");
  const auto model = load();
  EXPECT_EQ(model->markers.thinkBegin, std::nullopt);
  EXPECT_EQ(model->stopIds, std::vector<TokenId>({kEos, kImEnd})); // 265 from config.json, 266 by name
}

TEST_F(ModelTextTest, Errors) {
  EXPECT_FALSE(ModelText::load(folder.path(), "unknown"));
  folder.write("generation_config.json", R"({"eos_token_id": 9999})");
  EXPECT_EQ(
      error(),
      "generation_config.json: eos_token_id holds 9999, expected an id from 0 to 519 or a list of them");
  folder.write("generation_config.json", R"({"eos_token_id": ["x"]})");
  EXPECT_EQ(
      error(),
      "generation_config.json: eos_token_id holds \"x\", expected an id from 0 to 519 or a list of them");
  std::filesystem::remove(folder.path() / "generation_config.json");
  folder.write("config.json", R"({"vocab_size": 520})");
  EXPECT_EQ(error().substr(0, 43), "config.json: has no max_position_embeddings");
  folder.write("config.json", R"({"vocab_size": 520, "max_position_embeddings": 8})");
  folder.write("tokenizer_config.json", R"({"added_tokens_decoder": {}})");
  EXPECT_FALSE(load());
}

} // namespace kimi::text
