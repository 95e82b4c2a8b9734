// The reply of /v1/chat/completions.
#pragma once

#include "server/api/ChatRequest.h"
#include "server/api/Reply.h"

namespace kimi::api {

class ChatReply final : public Reply {
public:
  ChatReply(const ServedModel &model, ChatRequest request);

private:
  std::string_view wholeName() const override { return "chat.completion"; }
  std::string_view chunkName() const override { return "chat.completion.chunk"; }
  std::vector<boost::json::object> openingChoices(const Choice &choice) override;
  boost::json::object deltaChoice(const Choice &choice, const Delta &delta) override;
  boost::json::object finishChoice(const Choice &choice) override;
  boost::json::object wholeChoice(const Choice &choice) const override;
  boost::json::value logprobs(std::span<const ScoredToken> tokens) const;
};

} // namespace kimi::api
