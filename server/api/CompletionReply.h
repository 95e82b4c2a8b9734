// The reply of /v1/completions.
#pragma once

#include "server/api/CompletionRequest.h"
#include "server/api/Reply.h"

namespace kimi::api {

class CompletionReply final : public Reply {
public:
  CompletionReply(const ServedModel &model, CompletionRequest request);

private:
  std::string_view wholeName() const override { return "text_completion"; }
  std::string_view chunkName() const override { return "text_completion"; }
  std::vector<boost::json::object> openingChoices(const Choice &choice) override;
  boost::json::object deltaChoice(const Choice &choice, const Delta &delta) override;
  boost::json::object finishChoice(const Choice &choice) override;
  boost::json::object wholeChoice(const Choice &choice) const override;

  const std::vector<int32_t> &promptOf(const Choice &choice) const;
  /// The prompt's tokens as the reply scores them: the first without a log-probability.
  std::vector<ScoredToken> scoredPrompt(const Choice &choice) const;
  boost::json::value logprobs(std::span<const ScoredToken> tokens, int64_t &textOffset) const;

  const bool echo;
  std::vector<std::vector<int32_t>> prompts;
  std::vector<int64_t> textOffsets; // per choice, of the next token in the stream
};

} // namespace kimi::api
