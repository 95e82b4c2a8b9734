#include "server/api/CompletionReply.h"

#include "server/api/Logprobs.h"

namespace kimi::api {

namespace json = boost::json;

CompletionReply::CompletionReply(const ServedModel &model, CompletionRequest request)
    : Reply(model, std::move(request.generation), "cmpl-"), echo(request.echo),
      prompts(std::move(request.prompts)) {
  for (const std::vector<int32_t> &prompt : prompts)
    for (int64_t choice = 0; choice < generation.numChoices; ++choice) {
      schedule::Request made = makeRequest(generation, prompt, choice, model);
      made.promptLogprobs = echo && generation.wantsLogprobs;
      addChoice(std::move(made), OutputParser::plain(model.text));
      textOffsets.push_back(0);
    }
}

const std::vector<int32_t> &CompletionReply::promptOf(const Choice &choice) const {
  return prompts[choice.index / generation.numChoices];
}

std::vector<ScoredToken> CompletionReply::scoredPrompt(const Choice &choice) const {
  std::vector<ScoredToken> scored = {{promptOf(choice).front(), std::nullopt, {}}};
  scored.insert(scored.end(), choice.promptScored.begin(), choice.promptScored.end());
  return scored;
}

json::value CompletionReply::logprobs(std::span<const ScoredToken> tokens, int64_t &textOffset) const {
  return generation.wantsLogprobs ? json::value(completionLogprobs(tokens, model, textOffset))
                                  : json::value(nullptr);
}

std::vector<json::object> CompletionReply::openingChoices(const Choice &choice) {
  if (!echo)
    return {};
  return {{{"index", choice.index},
           {"text", model.text.tokenizer.decode(promptOf(choice)).value_or("")},
           {"logprobs", logprobs(scoredPrompt(choice), textOffsets[choice.index])},
           {"finish_reason", nullptr}}};
}

json::object CompletionReply::deltaChoice(const Choice &choice, const Delta &delta) {
  return {{"index", choice.index},
          {"text", delta.content},
          {"logprobs", logprobs(delta.scored, textOffsets[choice.index])},
          {"finish_reason", nullptr}};
}

json::object CompletionReply::finishChoice(const Choice &choice) {
  return {
      {"index", choice.index}, {"text", ""}, {"logprobs", nullptr}, {"finish_reason", choice.finishReason()}};
}

json::object CompletionReply::wholeChoice(const Choice &choice) const {
  std::string text = choice.all.content;
  std::vector<ScoredToken> scored = choice.all.scored;
  if (echo) {
    text = model.text.tokenizer.decode(promptOf(choice)).value_or("") + text;
    std::vector<ScoredToken> prompt = scoredPrompt(choice);
    scored.insert(scored.begin(), prompt.begin(), prompt.end());
  }
  int64_t textOffset = 0;
  return {{"index", choice.index},
          {"text", std::move(text)},
          {"logprobs", logprobs(scored, textOffset)},
          {"finish_reason", choice.finishReason()}};
}

} // namespace kimi::api
