#include "server/schedule/Request.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

namespace kimi::schedule {

std::string_view name(FinishReason reason) {
  switch (reason) {
  case FinishReason::Stop:
    return "stop";
  case FinishReason::Length:
    return "length";
  case FinishReason::Cancelled:
    return "cancelled";
  case FinishReason::Failed:
    return "failed";
  }
  return "unknown";
}

static Status checkTokens(std::string_view field, std::span<const int32_t> tokens, int64_t vocabulary) {
  auto bad = std::ranges::find_if(tokens, [&](int32_t token) { return token < 0 || token >= vocabulary; });
  if (bad == tokens.end())
    return {};
  return failure(
      fmt::format("{} holds token id {}; the vocabulary has ids 0 to {}", field, *bad, vocabulary - 1));
}

static Status checkBias(const SamplingParams &sampling, const RequestLimits &limits) {
  int64_t numEntries = static_cast<int64_t>(sampling.logitBias.size());
  if (numEntries > limits.maxBiasEntries)
    return failure(
        fmt::format("logit_bias has {} entries; at most {} fit a step", numEntries, limits.maxBiasEntries));
  for (const TokenBias &entry : sampling.logitBias)
    if (entry.token < 0 || entry.token >= limits.vocabulary)
      return failure(fmt::format("logit_bias names token id {}; the vocabulary has ids 0 to {}", entry.token,
                                 limits.vocabulary - 1));
  return {};
}

// Only the repetition penalty looks at prompt tokens, so only it needs room for them.
static Status checkPenalties(const Request &request, const RequestLimits &limits) {
  if (request.sampling.repetitionPenalty == 1)
    return {};
  std::unordered_set<int32_t> distinct(request.prompt.begin(), request.prompt.end());
  int64_t numDistinct = static_cast<int64_t>(distinct.size());
  if (numDistinct > limits.maxPenaltyEntries)
    return failure(
        fmt::format("repetition_penalty needs the prompt's {} distinct tokens; at most {} fit a step",
                    numDistinct, limits.maxPenaltyEntries));
  return {};
}

Status checkRequest(const Request &request, const RequestLimits &limits) {
  int64_t promptLength = static_cast<int64_t>(request.prompt.size());
  if (promptLength == 0)
    return failure("the prompt is empty; at least one token is needed");
  // A request that draws needs room for one token more.
  int64_t needed = promptLength + (request.maxTokens > 0 ? 1 : 0);
  if (needed > limits.maxModelLen)
    return failure(
        fmt::format("the prompt has {} tokens; the model's context holds {}, one of them for the reply",
                    promptLength, limits.maxModelLen));
  if (request.maxTokens < 0)
    return failure(fmt::format("max_tokens is {}; it must be at least 0", request.maxTokens));
  if (request.sampling.numTopLogprobs < 0 || request.sampling.numTopLogprobs > kMaxTopLogprobs)
    return failure(fmt::format("top_logprobs is {}; it must be 0 to {}", request.sampling.numTopLogprobs,
                               kMaxTopLogprobs));
  TRY(checkTokens("the prompt", request.prompt, limits.vocabulary));
  TRY(checkTokens("forced", request.forced, limits.vocabulary));
  TRY(checkBias(request.sampling, limits));
  return checkPenalties(request, limits);
}

} // namespace kimi::schedule
