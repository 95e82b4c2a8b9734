// The part of a request that chat and plain completions share: how to draw, when to stop, how to reply.
#pragma once

#include "server/api/Fields.h"
#include "server/text/ModelText.h"

namespace kimi::api {

/// The model behind the server, as requests see it. Never changes; outlives every request.
struct ServedModel {
  const text::ModelText &text;
  std::vector<std::string> names; // the first is the one replies carry
  std::string fingerprint;
  int64_t created = 0; // seconds since 1970
  schedule::RequestLimits limits;
};

struct Generation {
  schedule::SamplingParams sampling;
  std::vector<int32_t> stopIds;
  std::vector<std::string> stopStrings;
  std::optional<int64_t> maxTokens; // none = up to the end of the context
  int64_t numChoices = 1;           // per prompt
  bool wantsLogprobs = false;
  bool wantsTokenIds = false; // "return_token_ids", as vLLM spells it
  bool stream = false;
  bool includeUsage = false;
};

/// Reads everything but the prompt and logprobs, whose shape differs between the endpoints. `fields` carries
/// the error.
Generation readGeneration(Fields &fields, const ServedModel &model);

/// Is `model`, if given, the one that is served?
std::optional<ApiError> checkModel(Fields &fields, const ServedModel &model);

/// Does the prompt leave room for a token? `param` is the field it came from.
std::optional<ApiError> checkPromptLength(std::string_view param, size_t numTokens, int64_t numReplyTokens,
                                          const ServedModel &model);

/// One engine request for the prompt. Choices of one prompt differ by their seed alone.
schedule::Request makeRequest(const Generation &generation, std::vector<int32_t> prompt, int64_t choice,
                              const ServedModel &model);

} // namespace kimi::api
