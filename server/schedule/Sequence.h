// One request on its way through the steps: its tokens so far, the cache blocks it holds, how far it is
// computed.
#pragma once

#include "server/schedule/Request.h"

#include <chrono>
#include <unordered_map>

namespace kimi::schedule {

using Clock = std::chrono::steady_clock;

class Sequence {
public:
  enum class State { Waiting, Running, Finished };

  /// The request must have passed checkRequest; maxModelLen ends the sequence however large maxTokens is.
  Sequence(Request request, int64_t maxModelLen, Clock::time_point now);

  const Request request;
  const uint64_t seed;
  State state = State::Waiting;
  std::vector<int32_t> tokens; // prompt, then output
  std::vector<int32_t> blocks; // cache block of each 64 positions
  int64_t numComputed = 0;     // positions whose latents are in the cache
  int64_t numReported = 0;     // positions whose rows the caller has seen: a recomputed one stays quiet
  int64_t numCachedTokens = 0; // prompt positions that were found in the cache
  int64_t numRestarts = 0;     // until the next one, blocks are only added

  int64_t numTokens() const { return static_cast<int64_t>(tokens.size()); }
  int64_t numPromptTokens() const { return static_cast<int64_t>(request.prompt.size()); }
  int64_t numOutputTokens() const { return numTokens() - numPromptTokens(); }
  int64_t numPending() const { return numTokens() - numComputed; }
  /// Exactly one token to compute and it was drawn: belongs to a decode step.
  bool isDecoding() const { return numOutputTokens() > 0 && numPending() == 1; }
  /// Blocks that hold `numPositions` positions.
  static int64_t numBlocksFor(int64_t numPositions) {
    return (numPositions + kBlockTokens - 1) / kBlockTokens;
  }

  /// Does the caller want to hear of this position's row (besides the draw at the last one)?
  bool wantsScore(int64_t position) const;
  bool wantsLogits(int64_t position) const;

  /// Appends a drawn token; returns why the sequence ends with it, if it does.
  std::optional<FinishReason> append(int32_t token);
  /// Forgets what is computed, not what was drawn; the caller has taken the blocks back.
  void restart();

  /// Distinct tokens that penalties look at, with their occurrences in the output. Empty without penalties.
  const std::vector<std::pair<int32_t, int32_t>> &penalties() const { return penaltyEntries; }

  void markScheduled(Clock::time_point now);
  void markToken(Clock::time_point now);
  Account account() const;

private:
  void countPenalty(int32_t token, int32_t occurrences);

  int64_t maxTokens; // request.maxTokens, cut at the end of the context
  std::vector<std::pair<int32_t, int32_t>> penaltyEntries;
  std::unordered_map<int32_t, size_t> penaltyIndex;
  Clock::time_point submitted;
  std::optional<Clock::time_point> scheduled, firstToken, lastToken;
};

} // namespace kimi::schedule
