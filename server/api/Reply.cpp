#include "server/api/Reply.h"

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <random>

namespace kimi::api {

namespace json = boost::json;

static std::string randomId(std::string_view prefix) {
  thread_local std::mt19937_64 generator{(uint64_t(std::random_device{}()) << 32) | std::random_device{}()};
  return fmt::format("{}{:016x}{:08x}", prefix, generator(), static_cast<uint32_t>(generator()));
}

static int64_t secondsSinceEpoch() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Reply::Reply(const ServedModel &model, Generation theGeneration, std::string_view idPrefix)
    : model(model), generation(std::move(theGeneration)), id(randomId(idPrefix)),
      created(secondsSinceEpoch()) {}

void Reply::addChoice(schedule::Request request, OutputParser parser) {
  choices.emplace_back(static_cast<int64_t>(choices.size()), generation, std::move(parser));
  requests.push_back(std::move(request));
}

void Reply::push(size_t index, const schedule::Event &event, std::vector<std::string> &chunks) {
  Choice &choice = choices[index];
  bool wasStarted = choice.hasStarted();
  Delta delta = choice.push(event);
  if (!generation.stream || choice.error())
    return;
  if (!wasStarted && choice.hasStarted())
    for (json::object &opening : openingChoices(choice))
      chunks.push_back(chunk(std::move(opening)));
  if (!delta.isEmpty())
    chunks.push_back(chunk(withTokenIds(deltaChoice(choice, delta), delta)));
  if (choice.isFinished())
    chunks.push_back(chunk(finishChoice(choice), &choice));
}

bool Reply::isDone() const { return std::ranges::all_of(choices, &Choice::isFinished); }

std::optional<ApiError> Reply::error() const {
  for (const Choice &choice : choices)
    if (auto error = choice.error())
      return error;
  return std::nullopt;
}

json::object Reply::frame(std::string_view object, json::array choiceList) const {
  return {{"id", id},
          {"object", object},
          {"created", created},
          {"model", model.names.front()},
          {"system_fingerprint", model.fingerprint},
          {"choices", std::move(choiceList)}};
}

json::object Reply::withTokenIds(json::object choice, const Delta &delta) const {
  if (generation.wantsTokenIds)
    choice["token_ids"] = json::array(delta.tokens.begin(), delta.tokens.end());
  return choice;
}

std::string Reply::chunk(json::object choice, const Choice *finished) const {
  json::object body = frame(chunkName(), {std::move(choice)});
  if (generation.includeUsage)
    body["usage"] = nullptr; // every chunk but the last, says OpenAI
  if (finished)
    body["timings"] = timings(finished->account());
  return json::serialize(body);
}

// A prompt that several choices share was read once and is counted once.
json::object Reply::usage() const {
  int64_t numPrompt = 0, numCached = 0, numOutput = 0;
  for (const Choice &choice : choices) {
    schedule::Account account = choice.account();
    numOutput += account.numOutputTokens;
    if (choice.index % generation.numChoices == 0) {
      numPrompt += account.numPromptTokens;
      numCached += account.numCachedTokens;
    }
  }
  return {{"prompt_tokens", numPrompt},
          {"completion_tokens", numOutput},
          {"total_tokens", numPrompt + numOutput},
          {"prompt_tokens_details", json::object{{"cached_tokens", numCached}}}};
}

json::object Reply::whole() const {
  json::array list;
  for (const Choice &choice : choices)
    list.push_back(withTokenIds(wholeChoice(choice), choice.all));
  json::object body = frame(wholeName(), std::move(list));
  body["usage"] = usage();
  body["timings"] = timings(choices.front().account());
  return body;
}

std::optional<std::string> Reply::usageChunk() const {
  if (!generation.includeUsage)
    return std::nullopt;
  json::object body = frame(chunkName(), {});
  body["usage"] = usage();
  return json::serialize(body);
}

json::object timings(const schedule::Account &account) {
  auto each = [](double milliseconds, int64_t count) {
    return count > 0 ? milliseconds / double(count) : 0.0;
  };
  auto perSecond = [](double milliseconds, int64_t count) {
    return milliseconds > 0 ? 1000.0 * double(count) / milliseconds : 0.0;
  };
  int64_t numPrompt = account.numPromptTokens - account.numCachedTokens, numOutput = account.numOutputTokens;
  return {{"cache_n", account.numCachedTokens},
          {"prompt_n", numPrompt},
          {"prompt_ms", account.prefillMs},
          {"prompt_per_token_ms", each(account.prefillMs, numPrompt)},
          {"prompt_per_second", perSecond(account.prefillMs, numPrompt)},
          {"predicted_n", numOutput},
          {"predicted_ms", account.decodeMs},
          {"predicted_per_token_ms", each(account.decodeMs, numOutput)},
          {"predicted_per_second", perSecond(account.decodeMs, numOutput)}};
}

} // namespace kimi::api
