// What a caller asks of the scheduler, and what it hears back. Plain data: token ids only, no text and no
// sockets.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/kimi.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kimi::schedule {

using RequestId = uint64_t;

struct TokenBias {
  int32_t token = 0;
  float bias = 0;
};

/// How tokens are drawn. The values travel untouched to the artifact's sampling kernel; the defaults switch
/// it off.
struct SamplingParams {
  float temperature = 1; // 0 = greedy
  float topP = 1;
  float minP = 0;
  int32_t topK = 0;
  float repetitionPenalty = 1;
  float presencePenalty = 0;
  float frequencyPenalty = 0;
  std::vector<TokenBias> logitBias;
  std::optional<uint64_t> seed; // none = the scheduler picks one
  int32_t numTopLogprobs = 0;   // 0..kMaxTopLogprobs

  bool hasPenalties() const {
    return repetitionPenalty != 1 || presencePenalty != 0 || frequencyPenalty != 0;
  }
};

enum class FinishReason {
  Stop,      // a stop id was drawn
  Length,    // maxTokens, or the end of the context
  Cancelled, // the caller asked
  Failed     // Finish::message says why
};
std::string_view name(FinishReason reason);

struct TokenLogprob {
  int32_t token = 0;
  float logprob = 0;
};

/// What a request has cost, for the usage and timings of a reply.
struct Account {
  int64_t numPromptTokens = 0;
  int64_t numCachedTokens = 0; // prompt tokens found in the cache
  int64_t numOutputTokens = 0; // drawn, stop ids included
  double queueMs = 0;          // from submission to the first step
  double prefillMs = 0;        // from there to the first token
  double decodeMs = 0;         // from there to the last
};

struct Finish {
  FinishReason reason = FinishReason::Stop;
  std::string message;
  Account account;
};

/// One thing that happened to a request. A request's events come in the order of its positions; the last
/// carries `finish`, after which nothing follows.
struct Event {
  RequestId request = 0;
  int32_t token = -1;      // -1: none (the request ended without drawing)
  int64_t position = 0;    // of the token in its sequence
  bool fromPrompt = false; // a prompt token scored for Request::promptLogprobs; nothing was drawn
  float logprob = 0;
  std::vector<TokenLogprob> top;
  std::optional<Finish> finish;
};

struct Request {
  RequestId id = 0;
  std::vector<int32_t> prompt; // never empty
  SamplingParams sampling;
  std::vector<int32_t> stopIds; // empty = only the length ends it
  int64_t maxTokens = 1;        // 0 = compute the prompt, draw nothing
  bool promptLogprobs = false;  // score every prompt token but the first (echo with logprobs)

  /// Ids that replace the drawn ones, one per step, as far as they go.
  std::vector<int32_t> forced;
  /// Positions, ascending, whose logits go to `onLogits`. The view dies with the call.
  std::vector<int64_t> logitPositions;
  std::function<void(int64_t position, std::span<const float> logits)> onLogits;

  /// Called on the thread that steps; must not block and must not call the scheduler.
  std::function<void(const Event &)> onEvent;
};

/// What any request must respect; fixed once an engine and the options are known.
struct RequestLimits {
  int64_t maxModelLen = 0; // prompt and output together
  int64_t vocabulary = 0;
  int64_t maxBiasEntries = 0;
  int64_t maxPenaltyEntries = 0;
};

/// Errors name the field, the value and the limit.
Status checkRequest(const Request &request, const RequestLimits &limits);

} // namespace kimi::schedule
