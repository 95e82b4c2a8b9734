#include "server/api/Logprobs.h"

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace kimi::api {

namespace json = boost::json;

// JSON has no infinity; the value OpenAI's clients already know.
static double finiteLogprob(float logprob) { return std::isfinite(logprob) ? logprob : -9999.0; }

static std::string decodeOne(int32_t token, const ServedModel &model) {
  return model.text.tokenizer.decode(std::array{token}).value_or("");
}

static json::array bytesOf(int32_t token, const ServedModel &model) {
  json::array bytes;
  for (char byte : model.text.tokenizer.bytes(token).value_or(""))
    bytes.push_back(static_cast<unsigned char>(byte));
  return bytes;
}

static json::object chatEntry(const schedule::TokenLogprob &entry, const ServedModel &model) {
  return {{"token", decodeOne(entry.token, model)},
          {"logprob", finiteLogprob(entry.logprob)},
          {"bytes", bytesOf(entry.token, model)}};
}

json::object chatLogprobs(std::span<const ScoredToken> tokens, const ServedModel &model) {
  json::array content;
  for (const ScoredToken &token : tokens) {
    json::object entry = chatEntry({token.token, token.logprob.value_or(0)}, model);
    json::array top;
    for (const schedule::TokenLogprob &candidate : token.top)
      top.push_back(chatEntry(candidate, model));
    entry["top_logprobs"] = std::move(top);
    content.push_back(std::move(entry));
  }
  return {{"content", std::move(content)}};
}

// A token that is no text by itself is spelt in bytes, so that two of them never share a key.
static std::string spelling(int32_t token, const ServedModel &model) {
  std::string text = decodeOne(token, model);
  std::string_view bytes = model.text.tokenizer.bytes(token).value_or("");
  if (text == bytes)
    return text;
  std::string spelt = "bytes:";
  for (char byte : bytes)
    spelt += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
  return spelt;
}

static int64_t numCharacters(std::string_view text) {
  return std::ranges::count_if(text,
                               [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; });
}

json::object completionLogprobs(std::span<const ScoredToken> tokens, const ServedModel &model,
                                int64_t &textOffset) {
  json::array texts, logprobs, tops, offsets;
  for (const ScoredToken &token : tokens) {
    texts.emplace_back(spelling(token.token, model));
    offsets.emplace_back(textOffset);
    textOffset += numCharacters(decodeOne(token.token, model));
    if (!token.logprob) {
      logprobs.emplace_back(nullptr);
      tops.emplace_back(nullptr);
      continue;
    }
    logprobs.emplace_back(finiteLogprob(*token.logprob));
    json::object top;
    for (const schedule::TokenLogprob &candidate : token.top)
      top[spelling(candidate.token, model)] = finiteLogprob(candidate.logprob);
    // The drawn token belongs to the list even when it is not among the best.
    top[spelling(token.token, model)] = finiteLogprob(*token.logprob);
    tops.emplace_back(std::move(top));
  }
  return {{"tokens", std::move(texts)},
          {"token_logprobs", std::move(logprobs)},
          {"top_logprobs", std::move(tops)},
          {"text_offset", std::move(offsets)}};
}

} // namespace kimi::api
