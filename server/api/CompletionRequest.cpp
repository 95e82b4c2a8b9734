#include "server/api/CompletionRequest.h"

#include <fmt/format.h>

namespace kimi::api {

namespace json = boost::json;

constexpr size_t kMostPrompts = 128;
constexpr int64_t kDefaultMaxTokens = 16; // as OpenAI's

// The whole prompt is the client's, chat markup included, so markup becomes control tokens unless the client
// says otherwise with "parse_special": false.
static std::vector<int32_t> encode(std::string_view prompt, bool parseSpecial, const ServedModel &model) {
  return model.text.tokenizer.encode(prompt,
                                     parseSpecial ? text::Specials::Recognised : text::Specials::Ignored);
}

/// One prompt: a string or a list of ids.
static Result<std::vector<int32_t>> readPrompt(const json::value &value, std::string_view field,
                                               bool parseSpecial, const ServedModel &model) {
  std::vector<int32_t> ids;
  if (value.is_string()) {
    ids = encode(value.get_string(), parseSpecial, model);
  } else if (value.is_array()) {
    Result<std::vector<int32_t>> read = readTokenIds(value.get_array(), field, model.limits.vocabulary);
    if (!read)
      return read;
    ids = std::move(*read);
  } else {
    return std::unexpected(ApiError::invalid(
        "prompt", fmt::format("{} is {}; it must be a string or a list of token ids", field, shown(value))));
  }
  if (ids.empty())
    return std::unexpected(
        ApiError::invalid("prompt", fmt::format("{} is empty; at least one token is needed", field)));
  return ids;
}

// A list is one prompt of ids, or several prompts of either kind: its first element tells.
static Result<std::vector<std::vector<int32_t>>> readPrompts(const json::value &value, bool parseSpecial,
                                                             const ServedModel &model) {
  std::vector<std::vector<int32_t>> prompts;
  const json::array *list = value.if_array();
  if (!list || list->empty() || list->front().is_number()) {
    Result<std::vector<int32_t>> prompt = readPrompt(value, "prompt", parseSpecial, model);
    if (!prompt)
      return std::unexpected(prompt.error());
    prompts.push_back(std::move(*prompt));
    return prompts;
  }
  if (list->size() > kMostPrompts)
    return std::unexpected(ApiError::invalid(
        "prompt", fmt::format("prompt has {} entries; at most {} are allowed", list->size(), kMostPrompts)));
  for (const json::value &entry : *list) {
    Result<std::vector<int32_t>> prompt =
        readPrompt(entry, fmt::format("prompt[{}]", prompts.size()), parseSpecial, model);
    if (!prompt)
      return std::unexpected(prompt.error());
    prompts.push_back(std::move(*prompt));
  }
  return prompts;
}

static void readLogprobs(Fields &fields, Generation &generation) {
  std::optional<int64_t> numTop = fields.integer("logprobs", 0, kMaxTopLogprobs);
  generation.wantsLogprobs = numTop.has_value();
  generation.sampling.numTopLogprobs = static_cast<int32_t>(numTop.value_or(0));
}

Result<CompletionRequest> CompletionRequest::read(const json::object &body, const ServedModel &model) {
  Fields fields(body);
  if (auto error = checkModel(fields, model))
    return std::unexpected(*error);
  CompletionRequest request;
  request.generation = readGeneration(fields, model);
  readLogprobs(fields, request.generation);
  request.echo = fields.boolean("echo").value_or(false);
  // 0 scores a prompt without going on.
  int64_t maxTokens = fields.integer("max_tokens", 0, INT64_MAX).value_or(kDefaultMaxTokens);
  request.generation.maxTokens = fields.integer("max_completion_tokens", 0, INT64_MAX).value_or(maxTokens);
  bool parseSpecial = fields.boolean("parse_special").value_or(true);
  const json::value *prompt = fields.find("prompt");
  if (!prompt)
    fields.fail("prompt", "prompt is missing; it must be a string, a list of strings, or token ids");
  if (fields.error())
    return std::unexpected(*fields.error());
  Result<std::vector<std::vector<int32_t>>> prompts = readPrompts(*prompt, parseSpecial, model);
  if (!prompts)
    return std::unexpected(prompts.error());
  request.prompts = std::move(*prompts);
  for (const std::vector<int32_t> &ids : request.prompts)
    if (auto error = checkPromptLength("prompt", ids.size(), *request.generation.maxTokens, model))
      return std::unexpected(*error);
  return request;
}

} // namespace kimi::api
