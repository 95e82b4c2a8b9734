#include "runtime/engine/Workload.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

namespace kimi::runtime {

Workload::Workload(Engine &engine, const WorkloadSize &size)
    : engine(&engine), size(size),
      blocksPerSequence((size.context + size.tokens + kBlockTokens - 1) / kBlockTokens),
      lengths(size_t(size.batch), 0), lastTokens(size_t(size.batch), 0), tableRows(size_t(size.batch), -1) {
  rowSequences.reserve(size_t(size.batch));
}

Expected<Workload> Workload::create(Engine &engine, const WorkloadSize &size) {
  const Limits &limits = engine.limits();
  int64_t mostSequences = std::min({limits.maxSequences, limits.maxTokens, limits.maxLogitRows});
  if (size.batch < 1 || size.batch > mostSequences)
    return failure(
        fmt::format("a batch of {} was asked; this artifact runs 1 to {}", size.batch, mostSequences));
  if (size.context < 1 || size.tokens < 1 || size.context + size.tokens > engine.model().contextLength)
    return failure(
        fmt::format("{} context and {} new tokens were asked; each must be at least 1, and the model has "
                    "{} positions",
                    size.context, size.tokens, engine.model().contextLength));
  if (size.cached < 0 || size.cached >= size.context)
    return failure(fmt::format("{} cached positions of a context of {} were asked; at least the last one is computed",
                               size.cached, size.context));
  Workload workload(engine, size);
  if (size.batch * workload.blocksPerSequence > limits.cacheBlocks)
    return failure(fmt::format(
        "{} sequences of {} tokens need {} cache blocks, but there are {}: ask for a larger "
        "cache",
        size.batch, size.context + size.tokens, size.batch * workload.blocksPerSequence, limits.cacheBlocks));
  return workload;
}

/// Pseudo-random, so that a router spreads the tokens; the same in every run.
int32_t Workload::tokenAt(int64_t sequence, int64_t position) const {
  uint64_t mixed = uint64_t(sequence * 1'000'003 + position + 1) * 0x9e3779b97f4a7c15u;
  return int32_t((mixed >> 32) % engine->model().vocabulary);
}

void Workload::beginStep() {
  StepInputs &in = engine->inputs();
  in.numTokens = in.numSequences = in.numLogitRows = in.numBiasEntries = in.numPenaltyEntries = 0;
  in.sequenceOffsets[0] = in.biasOffsets[0] = in.penaltyOffsets[0] = 0;
  rowSequences.clear();
}

/// Appends a sequence's next tokens to the step. The sampling inputs stay as the engine made them: greedy.
void Workload::addTokens(int64_t sequence, int64_t count, bool wantsLogits) {
  StepInputs &in = engine->inputs();
  int64_t stride = engine->limits().maxTableBlocks, row = in.numSequences++;
  int32_t firstBlock = int32_t(sequence * blocksPerSequence);
  if (tableRows[size_t(row)] != sequence) { // or it holds the sequence's blocks already, those to come included
    auto table = in.blockTables.subspan(size_t(row * stride), size_t(stride));
    std::iota(table.begin(), table.begin() + blocksPerSequence,
              firstBlock); // zeros behind: prefill() put them there
    tableRows[size_t(row)] = sequence;
  }
  for (int64_t i = 0; i < count; ++i) {
    int64_t position = lengths[size_t(sequence)]++;
    size_t t = size_t(in.numTokens++);
    in.tokenIds[t] = position < size.context ? tokenAt(sequence, position) : lastTokens[size_t(sequence)];
    in.positions[t] = int32_t(position);
    in.tokenSequences[t] = int32_t(row);
    in.cacheSlots[t] = firstBlock * kBlockTokens + int32_t(position);
  }
  in.sequenceOffsets[size_t(row) + 1] = int32_t(in.numTokens);
  if (!wantsLogits)
    return;
  in.logitRows[size_t(in.numLogitRows++)] = int32_t(in.numTokens - 1);
  in.biasOffsets[size_t(in.numLogitRows)] = in.penaltyOffsets[size_t(in.numLogitRows)] = 0;
  rowSequences.push_back(sequence);
}

Status Workload::runStep() {
  TRY(engine->step());
  std::span<const int32_t> sampled = engine->outputs().sampledTokens;
  for (size_t row = 0; row < rowSequences.size(); ++row)
    lastTokens[size_t(rowSequences[row])] = sampled[row];
  return {};
}

Status Workload::prefill(const std::function<void(int64_t doneTokens)> &progress) {
  const Limits &limits = engine->limits();
  std::ranges::fill(lengths, size.cached);
  std::ranges::fill(engine->inputs().blockTables, 0);
  std::ranges::fill(tableRows, -1);
  for (int64_t sequence = 0, done = 0; sequence < size.batch;) {
    beginStep();
    StepInputs &in = engine->inputs();
    // As many sequences, or parts of them, as one step holds.
    while (sequence < size.batch && in.numTokens < limits.maxTokens &&
           in.numSequences < limits.maxSequences) {
      int64_t left = size.context - lengths[size_t(sequence)];
      int64_t count = std::min(left, limits.maxTokens - in.numTokens);
      addTokens(sequence, count, count == left);
      if (count < left)
        break; // The rest goes into the next step.
      ++sequence;
    }
    TRY(runStep());
    done += in.numTokens;
    if (progress)
      progress(done);
  }
  return {};
}

Status Workload::decode() {
  beginStep();
  for (int64_t sequence = 0; sequence < size.batch; ++sequence)
    addTokens(sequence, 1, true);
  return runStep();
}

} // namespace kimi::runtime
