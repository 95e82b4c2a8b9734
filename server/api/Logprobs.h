// Log-probabilities in the two shapes OpenAI gives them.
#pragma once

#include "server/api/Choice.h"

#include <boost/json/object.hpp>

namespace kimi::api {

/// choices[].logprobs of chat: {"content": [{"token", "logprob", "bytes", "top_logprobs"}]}.
boost::json::object chatLogprobs(std::span<const ScoredToken> tokens, const ServedModel &model);

/// choices[].logprobs of completions: parallel lists {"tokens", "token_logprobs", "top_logprobs",
/// "text_offset"}. `textOffset` is where the first token begins, in characters, and moves to where the last
/// one ends.
boost::json::object completionLogprobs(std::span<const ScoredToken> tokens, const ServedModel &model,
                                       int64_t &textOffset);

} // namespace kimi::api
