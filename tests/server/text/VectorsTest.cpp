// The recorded vectors of the real tokenizer and chat templates. They lie beside the repository, not in it.
#include "server/text/ChatFormat.h"
#include "server/text/FileText.h"
#include "server/text/Json.h"
#include "server/text/StreamDecoder.h"
#include "server/text/Tokenizer.h"
#include "tests/server/text/Sha256.h"

#include <boost/json.hpp>
#include <cstdlib>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace kimi::text {

namespace json = boost::json;

namespace {

namespace fs = std::filesystem;

fs::path dataFolder() {
  const char *shared = std::getenv("KIMI_SHARED");
  return fs::path(shared ? shared : KIMI_SHARED_DEFAULT) / "data" / "kimi-k2";
}

class Vectors : public testing::Test {
protected:
  void SetUp() override {
    if (!fs::exists(dataFolder() / "vectors"))
      GTEST_SKIP() << "no vectors at " << dataFolder()
                   << "; set KIMI_SHARED to the folder that holds data/kimi-k2";
  }

  static Tokenizer tokenizer() {
    const fs::path folder = dataFolder();
    Expected<Tokenizer> loaded = Tokenizer::load({folder / "tokenizer" / "tiktoken.model",
                                                  folder / "tokenizer" / "tokenizer_config.k2.6.json",
                                                  folder / "config" / "kimi-k2.6.config.json"});
    if (!loaded)
      throw std::runtime_error(loaded.error().message);
    return std::move(*loaded);
  }

  static json::value vectors(std::string_view name) {
    const Expected<json::object> object = readJsonObject(dataFolder() / "vectors" / name);
    if (!object)
      throw std::runtime_error(object.error().message);
    return *object;
  }
};

std::vector<TokenId> idsOf(const json::value &list) { return json::value_to<std::vector<TokenId>>(list); }

/// Recipes are sums of 'text' and 'text' * count.
std::string cook(std::string_view recipe) {
  std::string out;
  for (size_t open; (open = recipe.find('\'')) != std::string_view::npos;) {
    const size_t close = recipe.find('\'', open + 1);
    const std::string_view text = recipe.substr(open + 1, close - open - 1);
    recipe.remove_prefix(close + 1);
    long count = 1;
    if (recipe.starts_with(" * "))
      count = std::strtol(recipe.data() + 3, nullptr, 10);
    for (long i = 0; i < count; ++i)
      out += text;
  }
  return out;
}

} // namespace

TEST_F(Vectors, Tokenizer) {
  const Tokenizer real = tokenizer();
  const json::value file = vectors("tokenizer.json");
  size_t count = 0;
  for (const auto &[key, group] : file.as_object()) {
    if (!group.is_array() || !group.as_array().front().is_object())
      continue;
    for (const json::value &item : group.as_array()) {
      const std::string text(item.at("text").as_string());
      const std::vector<TokenId> ids = idsOf(item.at("ids"));
      ASSERT_EQ(real.encode(text, Specials::Recognised), ids) << text;
      ASSERT_EQ(real.decode(ids), text);
      StreamDecoder stream(real);
      std::string streamed;
      for (TokenId id : ids)
        streamed += stream.push(id);
      ASSERT_EQ(streamed + stream.finish(), text);
      ++count;
    }
  }
  EXPECT_GE(count, 467u);
}

TEST_F(Vectors, LongTexts) {
  const Tokenizer real = tokenizer();
  const auto content = readFile(dataFolder() / "vectors" / "tokenizer-long.json");
  ASSERT_TRUE(content) << content.error().message;
  const auto cases = parseJson(*content);
  ASSERT_TRUE(cases) << cases.error().message;
  for (const json::value &item : cases->as_array()) {
    const std::string recipe(item.at("recipe").as_string());
    const std::vector<TokenId> ids = real.encode(cook(recipe), Specials::Recognised);
    EXPECT_EQ(int64_t(ids.size()), item.at("n_tokens").as_int64()) << recipe;
    EXPECT_EQ(sha256Hex(fmt::format("{}", fmt::join(ids, ","))),
              item.at("sha256_of_comma_joined_ids").as_string())
        << recipe;
  }
}

TEST_F(Vectors, ChatTemplate) {
  const Tokenizer real = tokenizer();
  size_t count = 0;
  const json::value file = vectors("chat-template.json");
  for (const json::value &item : file.at("cases").as_array()) {
    for (const auto &[key, rendering] : item.at("renderings").as_object()) {
      json::object request = item.at("request").as_object();
      const std::string name(key);
      if (name.ends_with("(thinking=false)"))
        request["chat_template_kwargs"] = {{"thinking", false}};
      const auto prompt = ChatFormat::named(name.substr(0, name.find(' ')))->render(request);
      ASSERT_TRUE(prompt) << prompt.error().message;
      EXPECT_EQ(prompt->text(), rendering.at("text").as_string()) << name;
      // None of the recorded messages spells a control token, so both ways of encoding give the recorded ids.
      EXPECT_EQ(real.encode(prompt->text(), Specials::Recognised), idsOf(rendering.at("ids"))) << name;
      EXPECT_EQ(real.encode(prompt->pieces), idsOf(rendering.at("ids"))) << name;
      ++count;
    }
  }
  EXPECT_GE(count, 28u);
}

TEST(Sha256, OfTheStandard) {
  EXPECT_EQ(sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

} // namespace kimi::text
