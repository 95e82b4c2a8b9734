#include "server/schedule/Sequence.h"

#include <algorithm>
#include <random>

namespace kimi::schedule {

static uint64_t randomSeed() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32) | device();
}

Sequence::Sequence(Request theRequest, int64_t maxModelLen, Clock::time_point now)
    : request(std::move(theRequest)), seed(request.sampling.seed ? *request.sampling.seed : randomSeed()),
      tokens(request.prompt), maxTokens(std::min(request.maxTokens, maxModelLen - numPromptTokens())),
      submitted(now) {
  // The repetition penalty alone looks at the prompt; the other two count what was drawn.
  if (request.sampling.repetitionPenalty != 1)
    for (int32_t token : request.prompt)
      countPenalty(token, 0);
}

void Sequence::countPenalty(int32_t token, int32_t occurrences) {
  auto [at, isNew] = penaltyIndex.try_emplace(token, penaltyEntries.size());
  if (isNew)
    penaltyEntries.emplace_back(token, occurrences);
  else
    penaltyEntries[at->second].second += occurrences;
}

bool Sequence::wantsScore(int64_t position) const {
  return request.promptLogprobs && position >= numReported && position + 1 < numPromptTokens();
}

bool Sequence::wantsLogits(int64_t position) const {
  return position >= numReported && std::ranges::binary_search(request.logitPositions, position);
}

std::optional<FinishReason> Sequence::append(int32_t token) {
  tokens.push_back(token);
  if (request.sampling.hasPenalties())
    countPenalty(token, 1);
  if (std::ranges::find(request.stopIds, token) != request.stopIds.end())
    return FinishReason::Stop;
  if (numOutputTokens() >= maxTokens)
    return FinishReason::Length;
  return std::nullopt;
}

void Sequence::restart() {
  state = State::Waiting;
  blocks.clear();
  numComputed = 0;
  ++numRestarts;
}

void Sequence::markScheduled(Clock::time_point now) {
  if (!scheduled)
    scheduled = now;
}

void Sequence::markToken(Clock::time_point now) {
  if (!firstToken)
    firstToken = now;
  lastToken = now;
}

Account Sequence::account() const {
  auto milliseconds = [](std::optional<Clock::time_point> from, std::optional<Clock::time_point> to) {
    return from && to ? std::chrono::duration<double, std::milli>(*to - *from).count() : 0.0;
  };
  return {.numPromptTokens = numPromptTokens(),
          .numCachedTokens = numCachedTokens,
          .numOutputTokens = numOutputTokens(),
          .queueMs = milliseconds(submitted, scheduled),
          .prefillMs = milliseconds(scheduled, firstToken),
          .decodeMs = milliseconds(firstToken, lastToken)};
}

} // namespace kimi::schedule
