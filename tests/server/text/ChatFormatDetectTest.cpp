#include "server/text/ChatFormat.h"

#include "server/text/Json.h"
#include "tests/server/text/SmallModel.h"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace kimi::text {

namespace {

// The words by which each release's template is known, in templates no longer than that.
const std::string kOldTemplate = "<|im_system|>tool_declare<|im_middle|> You are a helpful assistant";
const std::string kInstructTemplate = "<|im_middle|>You are Kimi, an AI assistant created by Moonshot AI.";
const std::string kThinkingTemplate = kInstructTemplate + "<think></think>";
const std::string kNewTemplate = "<|im_middle|>{{ tools_ts_str }}<think>";

class ChatFormatDetect : public testing::Test {
protected:
  std::string detect() const {
    const auto format = ChatFormat::detect(folder.path());
    return format ? std::string(format->name()) : format.error().message;
  }

  /// tokenizer_config.json with these special tokens; a template in it unless empty.
  void writeTokenizer(std::vector<std::string> names, const std::string &chatTemplate = {}) const {
    boost::json::object decoder;
    for (size_t i = 0; i < names.size(); ++i)
      decoder[std::to_string(kFirstSpecial + i)] = {{"content", names[i]}};
    boost::json::object config = {{"added_tokens_decoder", decoder}};
    if (!chatTemplate.empty())
      config["chat_template"] = chatTemplate;
    folder.write("tokenizer_config.json", dumpJson(config, JsonSpacing::Compact));
  }

  void writeConfig(std::string_view type, int positions) const {
    folder.write("config.json",
                 fmt::format(R"({{"model_type": "{}", "max_position_embeddings": {}}})", type, positions));
  }

  const TemporaryFolder folder;
};

const std::string kChoices =
    "say it with --chat-format, one of: k2-2025-07-11, k2-instruct-0905, k2-thinking, k2.5";

} // namespace

TEST_F(ChatFormatDetect, ByTheTemplateInTokenizerConfig) {
  const std::pair<std::string, const char *> cases[] = {{kOldTemplate, "k2-2025-07-11"},
                                                        {kInstructTemplate, "k2-instruct-0905"},
                                                        {kThinkingTemplate, "k2-thinking"},
                                                        {kNewTemplate, "k2.5"}};
  for (const auto &[text, name] : cases) {
    writeTokenizer({}, text);
    EXPECT_EQ(detect(), name);
  }
}

TEST_F(ChatFormatDetect, TheTemplateFileComesFirst) {
  writeTokenizer({}, kInstructTemplate);
  folder.write("chat_template.jinja", kNewTemplate);
  EXPECT_EQ(detect(), "k2.5");
}

TEST_F(ChatFormatDetect, TheDefaultOfSeveralTemplates) {
  const boost::json::object config = {{"chat_template",
                                       {{{"name", "other"}, {"template", kNewTemplate}},
                                        {{"name", "default"}, {"template", kThinkingTemplate}}}}};
  folder.write("tokenizer_config.json", dumpJson(config, JsonSpacing::Compact));
  EXPECT_EQ(detect(), "k2-thinking");
}

TEST_F(ChatFormatDetect, AnUnknownTemplateIsNotGuessedAt) {
  writeConfig("kimi_k25", 262144);
  for (const std::string text : {"{{ messages }}", "<|im_middle|>",
                                 "<|im_middle|>You are a helpful assistant"
                                 "<|tool_calls_section_begin|>"}) {
    writeTokenizer({}, text);
    EXPECT_EQ(detect(), folder.path().string() +
                            ": cannot tell the chat format: its chat template is none of the known "
                            "ones; " +
                            kChoices);
  }
}

TEST_F(ChatFormatDetect, ByModelTypeAndSpecialTokens) {
  writeTokenizer({});
  writeConfig("kimi_k25", 262144);
  EXPECT_EQ(detect(), "k2.5");
  writeConfig("kimi_k2", 262144);
  EXPECT_EQ(detect(), "k2-instruct-0905");
  writeTokenizer({"<think>"});
  EXPECT_EQ(detect(), "k2-thinking");
  writeTokenizer({"<think>", "<|media_begin|>"});
  EXPECT_EQ(detect(), "k2.5");
}

TEST_F(ChatFormatDetect, UnsureIsAnError) {
  writeTokenizer({});
  for (const auto &[type, positions] : {std::pair("kimi_k2", 131072), std::pair("deepseek_v3", 262144)}) {
    writeConfig(type, positions);
    EXPECT_EQ(detect(),
              fmt::format("{}: cannot tell the chat format: there is no chat template, and model_type \"{}\" "
                          "with these special tokens fits several formats or none; {}",
                          folder.path().string(), type, kChoices));
  }
}

TEST_F(ChatFormatDetect, MissingFilesAreNamed) {
  EXPECT_TRUE(detect().contains("tokenizer_config.json: cannot open"));
  writeTokenizer({});
  EXPECT_TRUE(detect().contains("config.json: cannot open"));
}

} // namespace kimi::text
