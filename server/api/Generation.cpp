#include "server/api/Generation.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace kimi::api {

namespace json = boost::json;

constexpr size_t kMostStopStrings = 16;
constexpr int64_t kMostChoices = 16;

static void readBias(Fields &fields, const ServedModel &model, schedule::SamplingParams &sampling) {
  const json::object *bias = fields.object("logit_bias");
  if (!bias)
    return;
  for (const auto &[key, value] : *bias) {
    schedule::TokenBias entry;
    auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), entry.token);
    if (error != std::errc() || end != key.data() + key.size() || entry.token < 0 ||
        entry.token >= model.limits.vocabulary)
      return fields.fail("logit_bias",
                         fmt::format("logit_bias has the key '{}'; keys are token ids from 0 to {}",
                                     shortened(std::string(key)), model.limits.vocabulary - 1));
    double amount = value.is_number() ? value.to_number<double>() : 1000;
    if (!(amount >= -100 && amount <= 100))
      return fields.fail("logit_bias",
                         fmt::format("logit_bias for token {} is {}; it must be a number from -100 to 100",
                                     entry.token, shown(value)));
    entry.bias = static_cast<float>(amount);
    sampling.logitBias.push_back(entry);
  }
  auto numEntries = static_cast<int64_t>(sampling.logitBias.size());
  if (numEntries > model.limits.maxBiasEntries)
    fields.fail("logit_bias", fmt::format("logit_bias has {} entries; at most {} are allowed", numEntries,
                                          model.limits.maxBiasEntries));
}

static schedule::SamplingParams readSampling(Fields &fields, const ServedModel &model) {
  schedule::SamplingParams sampling;
  sampling.temperature = static_cast<float>(fields.number("temperature", 0, 2).value_or(1));
  sampling.topP = static_cast<float>(fields.number("top_p", 0, 1).value_or(1));
  sampling.minP = static_cast<float>(fields.number("min_p", 0, 1).value_or(0));
  // Both -1 and 0 are in use for "off".
  sampling.topK =
      static_cast<int32_t>(std::max<int64_t>(0, fields.integer("top_k", -1, INT32_MAX).value_or(0)));
  sampling.presencePenalty = static_cast<float>(fields.number("presence_penalty", -2, 2).value_or(0));
  sampling.frequencyPenalty = static_cast<float>(fields.number("frequency_penalty", -2, 2).value_or(0));
  sampling.repetitionPenalty = static_cast<float>(fields.number("repetition_penalty", 0.01, 10).value_or(1));
  if (std::optional<int64_t> seed = fields.integer("seed", INT64_MIN, INT64_MAX))
    sampling.seed = static_cast<uint64_t>(*seed);
  // The smallest nucleus is one token.
  if (sampling.topP == 0) {
    sampling.topP = 1;
    sampling.topK = 1;
  }
  readBias(fields, model, sampling);
  return sampling;
}

Generation readGeneration(Fields &fields, const ServedModel &model) {
  Generation generation;
  generation.sampling = readSampling(fields, model);
  generation.stopStrings = fields.strings("stop", kMostStopStrings);
  generation.stopIds = fields.tokenIds("stop_token_ids", model.limits.vocabulary);
  if (!fields.boolean("ignore_eos").value_or(false))
    generation.stopIds.insert(generation.stopIds.end(), model.text.stopIds.begin(), model.text.stopIds.end());
  generation.numChoices = fields.integer("n", 1, kMostChoices).value_or(1);
  generation.wantsTokenIds = fields.boolean("return_token_ids").value_or(false);
  generation.stream = fields.boolean("stream").value_or(false);
  if (const json::object *options = fields.object("stream_options")) {
    Fields streamFields(*options, "stream_options.");
    generation.includeUsage = streamFields.boolean("include_usage").value_or(false);
    if (streamFields.error())
      fields.fail(*streamFields.error()->param, streamFields.error()->message);
  }
  return generation;
}

std::optional<ApiError> checkModel(Fields &fields, const ServedModel &model) {
  std::optional<std::string> name = fields.string("model");
  if (fields.error())
    return fields.error();
  if (!name || name->empty() || std::ranges::find(model.names, *name) != model.names.end())
    return std::nullopt;
  return ApiError::unknownModel(*name, model.names.front());
}

std::optional<ApiError> checkPromptLength(std::string_view param, size_t numTokens, int64_t numReplyTokens,
                                          const ServedModel &model) {
  int64_t needed = static_cast<int64_t>(numTokens) + std::min<int64_t>(1, numReplyTokens);
  if (needed <= model.limits.maxModelLen)
    return std::nullopt;
  ApiError error = ApiError::invalid(
      param, fmt::format("{} has {} tokens; the model's context holds {}, the reply's included", param,
                         numTokens, model.limits.maxModelLen));
  error.code = "context_length_exceeded";
  return error;
}

schedule::Request makeRequest(const Generation &generation, std::vector<int32_t> prompt, int64_t choice,
                              const ServedModel &model) {
  schedule::Request request;
  request.prompt = std::move(prompt);
  request.sampling = generation.sampling;
  if (request.sampling.seed)
    *request.sampling.seed += static_cast<uint64_t>(choice);
  request.stopIds = generation.stopIds;
  // The scheduler ends the sequence at the end of the context anyway.
  request.maxTokens = generation.maxTokens.value_or(model.limits.maxModelLen);
  return request;
}

} // namespace kimi::api
