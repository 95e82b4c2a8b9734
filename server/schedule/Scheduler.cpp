#include "server/schedule/Scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace kimi::schedule {

static int64_t lowered(int64_t limit, int64_t option) { return option > 0 ? std::min(limit, option) : limit; }

static Limits stepLimits(const Limits &engine, const SchedulerOptions &options) {
  Limits limits = engine;
  limits.maxTokens = lowered(engine.maxTokens, options.maxBatchedTokens);
  limits.maxSequences = lowered(engine.maxSequences, options.maxSequences);
  return limits;
}

static RequestLimits requestLimitsOf(const Engine &engine, const runtime::BlockPool &pool,
                                     const SchedulerOptions &options) {
  const Limits &limits = engine.limits();
  int64_t context = std::min<int64_t>(engine.model().contextLength, limits.maxTableBlocks * kBlockTokens);
  // One sequence must fit the cache alone, or preempting all the others could not help it.
  int64_t cache = pool.numFree() * kBlockTokens;
  return {.maxModelLen = lowered(std::min(context, cache), options.maxModelLen),
          .vocabulary = engine.model().vocabulary,
          .maxBiasEntries = limits.maxBiasEntries,
          .maxPenaltyEntries = limits.maxPenaltyEntries};
}

Scheduler::Scheduler(Engine &engine, const SchedulerOptions &options)
    : engine(engine), vocabulary(engine.model().vocabulary), options(options),
      pool(engine.limits().cacheBlocks), limits(requestLimitsOf(engine, pool, options)),
      plan(stepLimits(engine.limits(), options), vocabulary) {}

void Scheduler::add(Request request) {
  RequestId id = request.id;
  auto sequence = std::make_unique<Sequence>(std::move(request), limits.maxModelLen, Clock::now());
  waiting.push_back(sequence.get());
  sequences.emplace(id, std::move(sequence));
}

void Scheduler::cancel(RequestId id) {
  ++numCancels;
  if (auto found = sequences.find(id); found != sequences.end())
    finish(*found->second, FinishReason::Cancelled, "", {});
}

void Scheduler::cancelAll() {
  while (!sequences.empty())
    cancel(sequences.begin()->first);
}

Status Scheduler::step() {
  plan.clear();
  planDecodes();
  planPrefills();
  if (plan.isEmpty()) {
    failStarved();
    return {};
  }
  Clock::time_point now = Clock::now();
  for (const PlannedChunk &chunk : plan.plannedChunks())
    chunk.sequence->markScheduled(now);
  plan.fill(engine.inputs());
  ++numSteps;
  if (Status status = engine.step(); !status) {
    failStep(status.error().message);
    return status;
  }
  digest(engine.outputs());
  return {};
}

void Scheduler::planDecodes() {
  // growBlocks may take sequences off the end of `running`, never one before the index.
  for (size_t index = 0; index < running.size(); ++index) {
    Sequence &sequence = *running[index];
    if (!sequence.isDecoding() || plan.roomFor(sequence, 1) == 0)
      continue;
    if (growBlocks(sequence))
      plan.add(sequence, 1);
  }
}

void Scheduler::planPrefills() {
  int64_t chunkLimit =
      options.maxPrefillChunk > 0 ? options.maxPrefillChunk : std::numeric_limits<int64_t>::max();
  for (Sequence *sequence : running) {
    if (sequence->isDecoding())
      continue;
    if (int64_t length = plan.roomFor(*sequence, chunkLimit); length > 0)
      plan.add(*sequence, length);
  }
  // Strictly first come, first served: a short request never overtakes a long one for ever.
  while (!waiting.empty() && canAdmit(*waiting.front())) {
    int64_t length = plan.roomFor(*waiting.front(), chunkLimit);
    if (length == 0)
      return;
    Sequence &sequence = *waiting.front();
    admit(sequence);
    plan.add(sequence, length);
  }
}

bool Scheduler::canAdmit(const Sequence &sequence) const {
  // Room for the token to be drawn too, or the sequence might be preempted before it has advanced.
  int64_t positions = std::min(sequence.numTokens() + 1, limits.maxModelLen);
  return static_cast<int64_t>(running.size()) < lowered(engine.limits().maxSequences, options.maxSequences) &&
         pool.canAllocate(Sequence::numBlocksFor(positions));
}

// Prefix reuse belongs here: blocks found in the cache come first, and numComputed starts behind them.
void Scheduler::admit(Sequence &sequence) {
  waiting.pop_front();
  sequence.state = Sequence::State::Running;
  running.push_back(&sequence);
  growBlocks(sequence); // canAdmit has seen that they are free
}

bool Scheduler::growBlocks(Sequence &sequence) {
  int64_t missing =
      Sequence::numBlocksFor(sequence.numTokens()) - static_cast<int64_t>(sequence.blocks.size());
  while (!pool.canAllocate(missing)) {
    Sequence &newest = *running.back();
    preempt(newest);
    if (&newest == &sequence)
      return false;
  }
  for (; missing > 0; --missing)
    sequence.blocks.push_back(*pool.allocate());
  return true;
}

void Scheduler::preempt(Sequence &sequence) {
  std::erase(running, &sequence);
  releaseBlocks(sequence);
  sequence.restart();
  waiting.push_front(&sequence); // older than all that wait
  ++numPreemptions;
}

// Nothing could be planned: not even alone does the oldest sequence fit a step. Its penalties have outgrown
// the table.
void Scheduler::failStarved() {
  if (!hasWork())
    return;
  Sequence &oldest = running.empty() ? *waiting.front() : *running.front();
  finish(oldest, FinishReason::Failed,
         fmt::format(
             "the request does not fit a step any more: {} penalty entries of at most {}, {} cache blocks of "
             "{} free ones",
             oldest.penalties().size(), limits.maxPenaltyEntries,
             Sequence::numBlocksFor(oldest.numTokens() + 1), pool.numFree()),
         {});
}

void Scheduler::failStep(const std::string &message) {
  for (const PlannedChunk &chunk : plan.plannedChunks())
    finish(*chunk.sequence, FinishReason::Failed, message, {});
}

void Scheduler::digest(const StepOutputs &outputs) {
  Clock::time_point now = Clock::now();
  for (const PlannedChunk &chunk : plan.plannedChunks())
    digestChunk(chunk, outputs, now);
}

void Scheduler::digestChunk(const PlannedChunk &chunk, const StepOutputs &outputs, Clock::time_point now) {
  Sequence &sequence = *chunk.sequence;
  sequence.numComputed += chunk.length;
  for (size_t row = chunk.firstRow; row < chunk.firstRow + chunk.numRows; ++row)
    if (!digestRow(sequence, row, outputs, now))
      return; // the sequence is gone
  sequence.numReported = std::max(sequence.numReported, sequence.numComputed);
  if (sequence.request.maxTokens == 0 && sequence.numPending() == 0)
    finish(sequence, FinishReason::Length, "", {});
}

static Event tokenEvent(const Sequence &sequence, int32_t token, int64_t position, size_t row,
                        const StepOutputs &outputs) {
  Event event;
  event.request = sequence.request.id;
  event.token = token;
  event.position = position;
  event.logprob = outputs.sampledLogprobs[row];
  for (int32_t rank = 0; rank < sequence.request.sampling.numTopLogprobs; ++rank) {
    size_t at = row * kMaxTopLogprobs + rank;
    event.top.push_back({outputs.topTokens[at], outputs.topLogprobs[at]});
  }
  return event;
}

/// False when the sequence ended with this row.
bool Scheduler::digestRow(Sequence &sequence, size_t index, const StepOutputs &outputs,
                          Clock::time_point now) {
  const PlannedRow &row = plan.row(index);
  if (row.reads && sequence.request.onLogits)
    sequence.request.onLogits(row.position, outputs.logits.subspan(index * vocabulary, vocabulary));
  if (outputs.finite[index] == 0) {
    finish(sequence, FinishReason::Failed,
           fmt::format("the model's logits at position {} are not finite", row.position), {});
    return false;
  }
  if (row.score >= 0) {
    Event event = tokenEvent(sequence, row.score, row.position + 1, index, outputs);
    event.fromPrompt = true;
    if (sequence.request.onEvent)
      sequence.request.onEvent(event);
  }
  if (!row.draws)
    return true;
  auto numDrawn = static_cast<size_t>(sequence.numOutputTokens());
  const std::vector<int32_t> &forced = sequence.request.forced;
  int32_t token = numDrawn < forced.size() ? forced[numDrawn] : outputs.sampledTokens[index];
  Event event = tokenEvent(sequence, token, sequence.numTokens(), index, outputs);
  sequence.markToken(now);
  if (std::optional<FinishReason> reason = sequence.append(token)) {
    finish(sequence, *reason, "", std::move(event));
    return false;
  }
  if (sequence.request.onEvent)
    sequence.request.onEvent(event);
  return true;
}

void Scheduler::releaseBlocks(Sequence &sequence) {
  for (int32_t block : sequence.blocks)
    (void)pool.release(block); // a block released twice shows in checkBooks
  sequence.blocks.clear();
}

void Scheduler::finish(Sequence &sequence, FinishReason reason, std::string message, Event event) {
  releaseBlocks(sequence);
  if (sequence.state == Sequence::State::Running)
    std::erase(running, &sequence);
  else
    std::erase(waiting, &sequence);
  sequence.state = Sequence::State::Finished;
  event.request = sequence.request.id;
  event.finish = Finish{reason, std::move(message), sequence.account()};
  if (sequence.request.onEvent)
    sequence.request.onEvent(event);
  sequences.erase(sequence.request.id);
}

Load Scheduler::load() const {
  return {.numRunning = static_cast<int64_t>(running.size()),
          .numWaiting = static_cast<int64_t>(waiting.size()),
          .numFreeBlocks = pool.numFree(),
          .numBlocks = pool.numBlocks(),
          .numPreemptions = numPreemptions,
          .numSteps = numSteps,
          .numCancels = numCancels};
}

Status Scheduler::checkBooks() const {
  int64_t numHeld = 0;
  for (const auto &[id, sequence] : sequences)
    numHeld += static_cast<int64_t>(sequence->blocks.size());
  if (pool.numFree() + numHeld != pool.numBlocks())
    return failure(fmt::format("cache blocks: {} free + {} held by {} sequences = {}, but there are {}",
                               pool.numFree(), numHeld, sequences.size(), pool.numFree() + numHeld,
                               pool.numBlocks()));
  return pool.check();
}

} // namespace kimi::schedule
