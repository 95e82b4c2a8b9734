// One choice of a reply while its tokens arrive: from engine events to text.
#pragma once

#include "server/api/Generation.h"
#include "server/api/OutputParser.h"
#include "server/api/StopStrings.h"

namespace kimi::api {

/// A token with its log-probability. The first token of a prompt has none.
struct ScoredToken {
  int32_t token = 0;
  std::optional<float> logprob;
  std::vector<schedule::TokenLogprob> top;
};

/// What one event adds.
struct Delta {
  std::string content, reasoning;
  std::vector<ScoredToken> scored; // only when the request wants log-probabilities
  std::vector<int32_t> tokens;     // only when it wants ids; with the one that ended the reply

  bool isEmpty() const { return content.empty() && reasoning.empty() && scored.empty() && tokens.empty(); }
};

class Choice {
public:
  Choice(int64_t index, const Generation &generation, OutputParser parser)
      : index(index), keepsScores(generation.wantsLogprobs), keepsIds(generation.wantsTokenIds), parser(std::move(parser)),
        stops(generation.stopStrings) {}

  const int64_t index;
  Delta all;                             // everything so far
  std::vector<ScoredToken> promptScored; // from the second prompt token on

  /// What the client may see now. Tokens that were on their way when a stop string hit are ignored.
  Delta push(const schedule::Event &event);

  /// A stop string is complete: the engine need not go on with this request.
  bool hitStopString() const { return stops.isHit(); }
  bool hasStarted() const { return started; }
  bool isFinished() const { return finish.has_value(); }
  /// Why the choice cannot be completed: the engine failed, or the server is going down.
  std::optional<ApiError> error() const;
  std::string_view finishReason() const;
  /// The engine's account; tokens behind a stop string are not the client's.
  schedule::Account account() const;

private:
  void take(std::vector<Fragment> fragments, Delta &delta);

  const bool keepsScores, keepsIds;
  OutputParser parser;
  // Stop strings end the answer; what the model thinks on its way there is not searched.
  StopStrings stops;
  bool started = false;
  int64_t numTokens = 0;
  std::optional<schedule::Finish> finish;
};

} // namespace kimi::api
