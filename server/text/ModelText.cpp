#include "server/text/ModelText.h"

#include "server/text/Json.h"

#include <algorithm>
#include <boost/json.hpp>
#include <fmt/format.h>

namespace kimi::text {

namespace json = boost::json;

namespace {

namespace fs = std::filesystem;

/// `key` at the top, else in text_config (multimodal releases), else nullptr.
const json::value *findInConfig(const json::object &config, std::string_view key) {
  const json::value *nested = config.if_contains("text_config");
  const json::value *value = config.if_contains(key);
  if ((!value || value->is_null()) && nested && nested->is_object())
    value = nested->get_object().if_contains(key);
  return value && !value->is_null() ? value : nullptr;
}

Status addStopId(const json::value &value, const Tokenizer &tokenizer, std::vector<TokenId> &ids) {
  if (!value.is_int64() || value.get_int64() < 0 || value.get_int64() >= tokenizer.vocabSize())
    return failure(fmt::format("eos_token_id holds {}, expected an id from 0 to {} or a list of them",
                               shortened(dumpJson(value, JsonSpacing::Compact)), tokenizer.vocabSize() - 1));
  ids.push_back(TokenId(value.get_int64()));
  return {};
}

Status addStopIds(const json::object &config, const Tokenizer &tokenizer, std::vector<TokenId> &ids) {
  const json::value *value = findInConfig(config, "eos_token_id");
  if (!value)
    return {};
  if (!value->is_array())
    return addStopId(*value, tokenizer, ids);
  for (const json::value &item : value->get_array())
    TRY(addStopId(item, tokenizer, ids));
  return {};
}

std::optional<TokenId> idOf(const Tokenizer &tokenizer, std::string_view name) {
  const SpecialToken *token = tokenizer.special(name);
  return token ? std::optional(token->id) : std::nullopt;
}

Expected<std::vector<TokenId>> readStopIds(const fs::path &folder, const json::object &config,
                                           const Tokenizer &tokenizer) {
  std::vector<TokenId> ids;
  if (const Status status = addStopIds(config, tokenizer, ids); !status)
    return failure((folder / "config.json").string(), status.error());
  std::error_code ignored;
  if (const fs::path file = folder / "generation_config.json"; fs::exists(file, ignored)) {
    TRY_ASSIGN(const json::object generation, readJsonObject(file));
    if (const Status status = addStopIds(generation, tokenizer, ids); !status)
      return failure(file.string(), status.error());
  }
  for (std::string_view name : {"<|im_end|>", "[EOS]", "[EOT]"})
    if (const auto id = idOf(tokenizer, name))
      ids.push_back(*id);
  std::ranges::sort(ids);
  ids.erase(std::ranges::unique(ids).begin(), ids.end());
  if (ids.empty())
    return failure(fmt::format("{}: no file names a stop token, so no answer would end; add eos_token_id to "
                               "generation_config.json",
                               folder.string()));
  return ids;
}

Expected<int64_t> readContextLength(const fs::path &folder, const json::object &config) {
  const json::value *value = findInConfig(config, "max_position_embeddings");
  if (!value || !value->is_int64() || value->get_int64() <= 0)
    return failure(
        fmt::format("{}: has no max_position_embeddings (a positive integer, at the top or in text_config); "
                    "copy config.json from the checkpoint again",
                    (folder / "config.json").string()));
  return value->get_int64();
}

Markers findMarkers(const Tokenizer &tokenizer) {
  return {.imEnd = idOf(tokenizer, "<|im_end|>"),
          .thinkBegin = idOf(tokenizer, "<think>"),
          .thinkEnd = idOf(tokenizer, "</think>"),
          .toolCallsSectionBegin = idOf(tokenizer, "<|tool_calls_section_begin|>"),
          .toolCallsSectionEnd = idOf(tokenizer, "<|tool_calls_section_end|>"),
          .toolCallBegin = idOf(tokenizer, "<|tool_call_begin|>"),
          .toolCallArgumentBegin = idOf(tokenizer, "<|tool_call_argument_begin|>"),
          .toolCallEnd = idOf(tokenizer, "<|tool_call_end|>")};
}

} // namespace

bool ModelText::isStop(TokenId id) const { return std::ranges::binary_search(stopIds, id); }

Expected<ModelText> ModelText::load(const fs::path &folder, std::optional<std::string_view> chatFormat) {
  TRY_ASSIGN(ChatFormat format, chatFormat ? ChatFormat::named(*chatFormat) : ChatFormat::detect(folder));
  TRY_ASSIGN(Tokenizer tokenizer, Tokenizer::load(folder));
  TRY_ASSIGN(const json::object config, readJsonObject(folder / "config.json"));
  TRY_ASSIGN(std::vector<TokenId> stopIds, readStopIds(folder, config, tokenizer));
  TRY_ASSIGN(const int64_t contextLength, readContextLength(folder, config));
  const Markers markers = findMarkers(tokenizer);
  return ModelText{std::move(tokenizer), format, markers, std::move(stopIds), contextLength};
}

} // namespace kimi::text
