#include "server/api/Choice.h"

namespace kimi::api {

void Choice::take(std::vector<Fragment> fragments, Delta &delta) {
  for (Fragment &fragment : fragments)
    if (fragment.kind == Fragment::Kind::Reasoning)
      delta.reasoning += fragment.text;
    else
      delta.content += stops.push(fragment.text);
}

Delta Choice::push(const schedule::Event &event) {
  Delta delta;
  if (event.fromPrompt) {
    promptScored.push_back({event.token, event.logprob, event.top});
    return delta;
  }
  started = true;
  bool wasHit = stops.isHit();
  if (event.token >= 0 && !wasHit) {
    ++numTokens;
    if (keepsIds)
      delta.tokens.push_back(event.token);
    // The id that ended the reply is counted but has no text.
    if (!event.finish || event.finish->reason != schedule::FinishReason::Stop) {
      take(parser.push(event.token), delta);
      if (keepsScores)
        delta.scored.push_back({event.token, event.logprob, event.top});
    }
  }
  if (event.finish) {
    finish = event.finish;
    if (!wasHit) {
      take(parser.finish(), delta);
      delta.content += stops.finish();
    }
  }
  all.content += delta.content;
  all.reasoning += delta.reasoning;
  all.scored.insert(all.scored.end(), delta.scored.begin(), delta.scored.end());
  all.tokens.insert(all.tokens.end(), delta.tokens.begin(), delta.tokens.end());
  return delta;
}

std::optional<ApiError> Choice::error() const {
  if (!finish || hitStopString())
    return std::nullopt;
  if (finish->reason == schedule::FinishReason::Failed)
    return ApiError::internal(finish->message);
  if (finish->reason == schedule::FinishReason::Cancelled)
    return ApiError::refused({schedule::Refusal::Reason::Closed, "the server is shutting down"});
  return std::nullopt;
}

std::string_view Choice::finishReason() const {
  if (hitStopString())
    return "stop";
  return finish && finish->reason == schedule::FinishReason::Length ? "length" : "stop";
}

schedule::Account Choice::account() const {
  schedule::Account account = finish ? finish->account : schedule::Account{};
  account.numOutputTokens = numTokens;
  return account;
}

} // namespace kimi::api
