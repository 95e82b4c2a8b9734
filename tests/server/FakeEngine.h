// An Engine without a model: the next token is a function of everything the sequence has put into the cache,
// read back through the block table. A wrong slot, table, position or row therefore shows as a wrong token.
#pragma once

#include "runtime/kimi.h"

#include <fmt/format.h>

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace kimi::test {

struct FakeOptions {
  uint32_t vocabulary = 320;
  uint32_t contextLength = 1024;
  int64_t maxTokens = 64, maxSequences = 8, maxLogitRows = 16, maxBiasEntries = 16, maxPenaltyEntries = 256;
  int64_t cacheBlocks = 32;
};

/// What FakeEngine answers, without an engine: the reference of the tests.
inline int32_t fakeNextToken(std::span<const int32_t> history, uint32_t vocabulary) {
  uint64_t hash = 1469598103934665603ull;
  for (int32_t token : history)
    hash = (hash ^ static_cast<uint64_t>(token + 1)) * 1099511628211ull;
  return static_cast<int32_t>((hash >> 17) % vocabulary);
}

inline float fakeLogprob(int32_t token) { return -0.25f * static_cast<float>(token % 7 + 1); }

class FakeEngine : public Engine {
public:
  explicit FakeEngine(const FakeOptions &options = {}) : options(options) {
    info.name = "fake";
    info.fingerprint = "fp_fake";
    info.vocabulary = options.vocabulary;
    info.contextLength = options.contextLength;
    bounds = {.maxTokens = options.maxTokens,
              .maxSequences = options.maxSequences,
              .maxLogitRows = options.maxLogitRows,
              .maxTableBlocks = (options.contextLength + kBlockTokens - 1) / kBlockTokens,
              .maxBiasEntries = options.maxBiasEntries,
              .maxPenaltyEntries = options.maxPenaltyEntries,
              .cacheBlocks = options.cacheBlocks};
    allocate();
  }

  // What the fake model says; tests replace it to speak certain texts.
  std::function<int32_t(std::span<const int32_t> history)> next = [this](std::span<const int32_t> history) {
    return fakeNextToken(history, options.vocabulary);
  };
  std::function<void()> beforeStep;      // called on the stepping thread
  std::function<void()> afterFill;       // sees inputs() as the kernels would
  std::optional<int32_t> notFiniteAfter; // rows whose last token is this one are not finite
  std::optional<std::string> failWith;   // the next step fails with this message
  std::atomic<int64_t> numSteps = 0;

  const ModelInfo &model() const override { return info; }
  const Limits &limits() const override { return bounds; }
  StepInputs &inputs() override { return in; }
  const StepOutputs &outputs() const override { return out; }
  void setProfiling(bool) override {}
  Expected<MachineCeilings> measureCeilings() override { return MachineCeilings{}; }
  std::vector<KernelTime> profile() const override { return {}; }

  Status step() override {
    if (beforeStep)
      beforeStep();
    if (afterFill)
      afterFill();
    ++numSteps;
    if (failWith) {
      std::string message = *std::exchange(failWith, std::nullopt);
      return failure(message);
    }
    TRY(check());
    for (int64_t token = 0; token < in.numTokens; ++token)
      cache[in.cacheSlots[token]] = {in.tokenIds[token], in.positions[token]};
    for (int64_t row = 0; row < in.numLogitRows; ++row)
      TRY(runRow(row));
    out.sampledTokens = {sampled.data(), size_t(in.numLogitRows)};
    out.logits = {logits.data(), size_t(in.numLogitRows * info.vocabulary)};
    return {};
  }

private:
  struct Slot {
    int32_t token = -1, position = -1;
  };

  void allocate() {
    auto room = [](auto &memory, auto &view, int64_t count) {
      memory.assign(static_cast<size_t>(count), {});
      view = memory;
    };
    int64_t tokens = bounds.maxTokens, rows = bounds.maxLogitRows, sequences = bounds.maxSequences;
    cache.resize(bounds.cacheBlocks * kBlockTokens);
    integers.resize(15);
    reals.resize(7);
    words.resize(3);
    std::span<int32_t> *integerViews[] = {
        &in.tokenIds,   &in.positions,      &in.tokenSequences, &in.sequenceOffsets, &in.blockTables,
        &in.cacheSlots, &in.logitRows,      &in.topK,           &in.maskRows,        &in.biasOffsets,
        &in.biasTokens, &in.penaltyOffsets, &in.penaltyTokens,  &in.penaltyCounts,   &in.logprobCounts};
    int64_t integerSizes[] = {tokens,
                              tokens,
                              tokens,
                              sequences + 1,
                              sequences * bounds.maxTableBlocks,
                              tokens,
                              rows,
                              rows,
                              rows,
                              rows + 1,
                              bounds.maxBiasEntries,
                              rows + 1,
                              bounds.maxPenaltyEntries,
                              bounds.maxPenaltyEntries,
                              rows};
    for (size_t i = 0; i < integers.size(); ++i)
      room(integers[i], *integerViews[i], integerSizes[i]);
    std::span<float> *realViews[] = {
        &in.temperature,     &in.topP, &in.minP, &in.biasValues, &in.repetitionPenalty, &in.presencePenalty,
        &in.frequencyPenalty};
    for (size_t i = 0; i < reals.size(); ++i)
      room(reals[i], *realViews[i], i == 3 ? bounds.maxBiasEntries : rows);
    room(words[0], in.seeds, 2 * rows);
    room(words[1], in.drawIndex, rows);
    room(words[2], in.tokenMask, rows * ((info.vocabulary + 31) / 32));
    sampled.resize(rows);
    finite.resize(rows);
    logprobs.resize(rows);
    topTokens.resize(rows * kMaxTopLogprobs);
    topLogprobs.resize(rows * kMaxTopLogprobs);
    logits.resize(rows * info.vocabulary);
    out.finite = finite;
    out.sampledLogprobs = logprobs;
    out.topTokens = topTokens;
    out.topLogprobs = topLogprobs;
  }

  Status check() const {
    if (in.numTokens < 1 || in.numTokens > bounds.maxTokens)
      return failure(fmt::format("numTokens is {} of at most {}", in.numTokens, bounds.maxTokens));
    if (in.numSequences < 1 || in.numSequences > bounds.maxSequences)
      return failure(fmt::format("numSequences is {} of at most {}", in.numSequences, bounds.maxSequences));
    if (in.numLogitRows > bounds.maxLogitRows || in.numBiasEntries > bounds.maxBiasEntries ||
        in.numPenaltyEntries > bounds.maxPenaltyEntries)
      return failure("too many rows or entries");
    if (in.sequenceOffsets[0] != 0 || in.sequenceOffsets[in.numSequences] != in.numTokens)
      return failure("sequenceOffsets do not span the tokens");
    for (int64_t sequence = 0; sequence < in.numSequences; ++sequence)
      TRY(checkSequence(sequence));
    return {};
  }

  Status checkSequence(int64_t sequence) const {
    auto table = in.blockTables.subspan(sequence * bounds.maxTableBlocks, bounds.maxTableBlocks);
    int64_t begin = in.sequenceOffsets[sequence], end = in.sequenceOffsets[sequence + 1];
    if (begin >= end)
      return failure(fmt::format("sequence {} has no tokens", sequence));
    for (int64_t token = begin; token < end; ++token) {
      int32_t position = in.positions[token];
      if (in.tokenSequences[token] != sequence || position != in.positions[begin] + token - begin)
        return failure(fmt::format("token {} is at position {} of sequence {}", token, position, sequence));
      int32_t slot = table[position / kBlockTokens] * kBlockTokens + position % kBlockTokens;
      if (in.cacheSlots[token] != slot)
        return failure(
            fmt::format("token {} goes to slot {}, the table says {}", token, in.cacheSlots[token], slot));
    }
    // Blocks may be held ahead of the tokens; what matters is that nothing of an earlier user is left: no
    // block twice.
    for (size_t i = 0; i < table.size(); ++i)
      for (size_t j = i + 1; j < table.size(); ++j)
        if (table[i] != 0 && table[i] == table[j])
          return failure(fmt::format("block {} stands twice in table {}", table[i], sequence));
    return {};
  }

  Status runRow(int64_t row) {
    int64_t token = in.logitRows[row], sequence = in.tokenSequences[token];
    auto table = in.blockTables.subspan(sequence * bounds.maxTableBlocks, bounds.maxTableBlocks);
    std::vector<int32_t> history;
    for (int32_t position = 0; position <= in.positions[token]; ++position) {
      const Slot &slot = cache[table[position / kBlockTokens] * kBlockTokens + position % kBlockTokens];
      if (slot.position != position)
        return failure(fmt::format("position {} of sequence {} was never written: found {}", position,
                                   sequence, slot.position));
      history.push_back(slot.token);
    }
    int32_t drawn = draw(row, history);
    sampled[row] = drawn;
    logprobs[row] = fakeLogprob(drawn);
    finite[row] = !notFiniteAfter || history.back() != *notFiniteAfter;
    for (int32_t rank = 0; rank < in.logprobCounts[row]; ++rank) {
      topTokens[row * kMaxTopLogprobs + rank] = (drawn + rank) % static_cast<int32_t>(info.vocabulary);
      topLogprobs[row * kMaxTopLogprobs + rank] = -0.5f * static_cast<float>(rank + 1);
    }
    auto values = std::span(logits).subspan(row * info.vocabulary, info.vocabulary);
    std::ranges::fill(values, static_cast<float>(in.positions[token]));
    values[next(history)] = 100;
    return {};
  }

  int32_t draw(int64_t row, std::vector<int32_t> &history) const {
    auto vocabulary = static_cast<int32_t>(info.vocabulary);
    if (in.maskRows[row]) {
      auto mask = in.tokenMask.subspan(row * ((vocabulary + 31) / 32), (vocabulary + 31) / 32);
      for (int32_t token = 0; token < vocabulary; ++token)
        if (mask[token / 32] >> (token % 32) & 1)
          return token;
    }
    for (int32_t entry = in.biasOffsets[row]; entry < in.biasOffsets[row + 1]; ++entry)
      if (in.biasValues[entry] >= 100)
        return in.biasTokens[entry];
    int32_t token = next(history);
    if (in.temperature[row] == 0)
      return token;
    // (seed, draw) fixes the draw.
    return static_cast<int32_t>(
        (token + in.seeds[2 * row] + 31 * in.seeds[2 * row + 1] + 7 * in.drawIndex[row]) % vocabulary);
  }

  FakeOptions options;
  ModelInfo info;
  Limits bounds;
  StepInputs in;
  StepOutputs out;
  std::vector<Slot> cache;
  std::vector<std::vector<int32_t>> integers;
  std::vector<std::vector<float>> reals;
  std::vector<std::vector<uint32_t>> words;
  std::vector<int32_t> sampled, finite, topTokens;
  std::vector<float> logprobs, topLogprobs, logits;
};

} // namespace kimi::test
