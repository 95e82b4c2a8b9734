#include "server/api/ChatReply.h"

#include "server/api/Logprobs.h"

namespace kimi::api {

namespace json = boost::json;

ChatReply::ChatReply(const ServedModel &model, ChatRequest request)
    : Reply(model, std::move(request.generation), "chatcmpl-") {
  for (int64_t choice = 0; choice < generation.numChoices; ++choice)
    addChoice(makeRequest(generation, request.prompt, choice, model),
              OutputParser::chat(model.text, request.startsInReasoning));
}

json::value ChatReply::logprobs(std::span<const ScoredToken> tokens) const {
  return generation.wantsLogprobs ? json::value(chatLogprobs(tokens, model)) : json::value(nullptr);
}

// The role comes alone and at once, before the first token has its text.
std::vector<json::object> ChatReply::openingChoices(const Choice &choice) {
  return {{{"index", choice.index},
           {"delta", json::object{{"role", "assistant"}, {"content", ""}}},
           {"logprobs", nullptr},
           {"finish_reason", nullptr}}};
}

json::object ChatReply::deltaChoice(const Choice &choice, const Delta &delta) {
  json::object fields;
  if (!delta.reasoning.empty())
    fields["reasoning_content"] = delta.reasoning;
  if (!delta.content.empty() || delta.reasoning.empty())
    fields["content"] = delta.content;
  return {{"index", choice.index},
          {"delta", std::move(fields)},
          {"logprobs", logprobs(delta.scored)},
          {"finish_reason", nullptr}};
}

json::object ChatReply::finishChoice(const Choice &choice) {
  return {{"index", choice.index},
          {"delta", json::object{}},
          {"logprobs", nullptr},
          {"finish_reason", choice.finishReason()}};
}

json::object ChatReply::wholeChoice(const Choice &choice) const {
  json::object message = {{"role", "assistant"}, {"content", choice.all.content}, {"refusal", nullptr}};
  if (model.text.chatFormat.hasReasoning())
    message["reasoning_content"] =
        choice.all.reasoning.empty() ? json::value(nullptr) : json::value(choice.all.reasoning);
  return {{"index", choice.index},
          {"message", std::move(message)},
          {"logprobs", logprobs(choice.all.scored)},
          {"finish_reason", choice.finishReason()}};
}

} // namespace kimi::api
