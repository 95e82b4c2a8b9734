#include "server/text/SpecialTokens.h"

#include "server/text/Utf8.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <fmt/format.h>

namespace kimi::text {

namespace json = boost::json;

namespace {

// K2 has 256. The bound keeps a wrong vocab_size from filling the memory with made-up names.
constexpr int64_t kMaxSpecials = 1 << 20;

constexpr std::string_view kKey = "added_tokens_decoder";

std::unexpected<Error> badEntry(std::string_view id, std::string_view problem) {
  return failure(
      fmt::format("{}[\"{}\"] {}; copy tokenizer_config.json from the checkpoint again", kKey, shortened(std::string(id)), problem));
}

} // namespace

Expected<SpecialTokens> SpecialTokens::read(const json::object &tokenizerConfig, int64_t firstId,
                                            int64_t vocabSize) {
  const json::value *names = tokenizerConfig.if_contains(kKey);
  if (!names || !names->is_object())
    return failure(fmt::format("has no object {} (id to token), so no special token has a name; copy "
                               "tokenizer_config.json from the checkpoint again",
                               kKey));
  if (vocabSize - firstId > kMaxSpecials)
    return failure(
        fmt::format("vocab_size {} of config.json leaves {} ids above the {} ranks, at most {} can be; check "
                    "that config.json and tiktoken.model belong together",
                    vocabSize, vocabSize - firstId, firstId, kMaxSpecials));
  SpecialTokens specials;
  specials.firstId = TokenId(firstId);
  for (int64_t id = firstId; id < vocabSize; ++id)
    specials.tokens.push_back({TokenId(id), fmt::format("<|reserved_token_{}|>", id)});
  TRY(specials.nameTokens(names->get_object(), vocabSize));
  TRY(specials.indexNames());
  return specials;
}

Status SpecialTokens::nameTokens(const json::object &names, int64_t vocabSize) {
  for (const auto &[key, entry] : names) {
    int64_t id = -1;
    const std::string_view digits(key.data(), key.size());
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
    if (error != std::errc() || stop != digits.data() + digits.size() || id < 0)
      return badEntry(digits, "is not an id");
    if (id < firstId)
      return badEntry(
          digits, fmt::format("has an id below {}, which tiktoken.model already gives to a rank", firstId));
    const json::object *token = entry.if_object();
    const json::value *content = token ? token->if_contains("content") : nullptr;
    if (!content || !content->is_string() || content->get_string().empty())
      return badEntry(digits, "has no text \"content\"");
    if (id >= vocabSize)
      continue;
    const json::value *special = token->if_contains("special");
    const bool isHidden = special && special->is_bool() && special->get_bool();
    tokens[id - firstId] = {TokenId(id), std::string(content->get_string()), true, isHidden};
  }
  return {};
}

Status SpecialTokens::indexNames() {
  for (size_t i = 0; i < tokens.size(); ++i) {
    const auto [first, isNew] = byName.emplace(tokens[i].text, i);
    if (!isNew)
      return failure(fmt::format("{} gives \"{}\" to ids {} and {}; a name stands for one id: copy "
                                 "tokenizer_config.json from the checkpoint again",
                                 kKey, shortened(tokens[i].text), tokens[first->second].id, tokens[i].id));
    byFirstByte[uint8_t(tokens[i].text.front())].push_back(i);
  }
  for (std::vector<size_t> &candidates : byFirstByte)
    std::ranges::stable_sort(candidates, std::greater(), [&](size_t i) { return tokens[i].text.size(); });
  return {};
}

const SpecialToken *SpecialTokens::find(std::string_view name) const {
  const auto found = byName.find(name);
  return found == byName.end() ? nullptr : &tokens[found->second];
}

const SpecialToken *SpecialTokens::find(TokenId id) const {
  return id < firstId || size_t(id - firstId) >= tokens.size() ? nullptr : &tokens[id - firstId];
}

std::optional<SpecialTokens::Occurrence> SpecialTokens::findIn(std::string_view text, size_t from) const {
  for (size_t at = from; at < text.size(); ++at)
    for (size_t i : byFirstByte[uint8_t(text[at])])
      if (text.substr(at).starts_with(tokens[i].text))
        return Occurrence{at, &tokens[i]};
  return std::nullopt;
}

} // namespace kimi::text
