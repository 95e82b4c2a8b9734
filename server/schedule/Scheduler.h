// Continuous batching with chunked prefill over a paged cache.
//
//   Scheduler scheduler(engine, {});
//   scheduler.add(request);                       // events go to request.onEvent
//   while (scheduler.hasWork()) scheduler.step();
//
// Every step decodes first, oldest sequence first, then spends the tokens that are left on prompts, first
// come first served. A sequence is admitted when its tokens and one more fit the free blocks; when a decoding
// sequence finds no block, the newest running one gives its blocks back and is computed again later. The
// oldest sequence therefore always advances.
//
// Thread rule: one thread.
#pragma once

#include "runtime/kvcache/BlockPool.h"
#include "server/schedule/StepPlan.h"

#include <deque>
#include <memory>
#include <unordered_map>

namespace kimi::schedule {

/// 0 = as much as the engine can. Larger values than that are lowered to it.
struct SchedulerOptions {
  int64_t maxSequences = 0;     // running at once
  int64_t maxBatchedTokens = 0; // per step
  int64_t maxPrefillChunk = 0;  // tokens of one prompt per step
  int64_t maxModelLen = 0;      // prompt and output together
};

/// What the scheduler holds at this moment.
struct Load {
  int64_t numRunning = 0, numWaiting = 0;
  int64_t numFreeBlocks = 0, numBlocks = 0;
  int64_t numPreemptions = 0, numSteps = 0; // since the start
  int64_t numCancels = 0;                   // cancel calls since the start, those for requests that had ended included
};

class Scheduler {
public:
  Scheduler(Engine &engine, const SchedulerOptions &options);

  const RequestLimits &requestLimits() const { return limits; }

  /// The request must have passed checkRequest with requestLimits(), and its id must be new.
  void add(Request request);
  /// Ends the request with FinishReason::Cancelled; unknown ids (it may just have ended) are fine.
  void cancel(RequestId id);
  void cancelAll();

  bool hasWork() const { return !running.empty() || !waiting.empty(); }
  /// Plans, runs and digests one step. An engine error fails the step's requests and is returned for the log.
  Status step();

  Load load() const;
  /// free + held = all, or a message with the numbers. For idle moments.
  Status checkBooks() const;

private:
  void planDecodes();
  void planPrefills();
  bool canAdmit(const Sequence &sequence) const;
  void admit(Sequence &sequence);
  bool growBlocks(Sequence &sequence);
  void preempt(Sequence &sequence);
  void failStarved();
  void failStep(const std::string &message);
  void digest(const StepOutputs &outputs);
  void digestChunk(const PlannedChunk &chunk, const StepOutputs &outputs, Clock::time_point now);
  bool digestRow(Sequence &sequence, size_t index, const StepOutputs &outputs, Clock::time_point now);
  void releaseBlocks(Sequence &sequence);
  void finish(Sequence &sequence, FinishReason reason, std::string message, Event event);

  Engine &engine;
  const int64_t vocabulary;
  const SchedulerOptions options;
  runtime::BlockPool pool;
  const RequestLimits limits;
  StepPlan plan;
  std::unordered_map<RequestId, std::unique_ptr<Sequence>> sequences;
  std::deque<Sequence *> waiting;  // by arrival
  std::vector<Sequence *> running; // by arrival
  int64_t numPreemptions = 0, numSteps = 0, numCancels = 0;
};

} // namespace kimi::schedule
