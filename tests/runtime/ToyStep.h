// Fills the step inputs for the toy artifact and says what the step must give.
#pragma once

#include "runtime/kimi.h"
#include "tests/runtime/ToyArtifact.h"

#include <algorithm>
#include <array>
#include <vector>

namespace kimi::test {

/// New tokens of one sequence; `blocks` holds its cache blocks from position 0 on.
struct ToySequence {
  int32_t firstPosition = 0;
  std::vector<int32_t> tokens;
  std::vector<int32_t> blocks;
};

/// Greedy, one logit row per sequence: its last token.
inline void fillStep(Engine &engine, const std::vector<ToySequence> &sequences) {
  StepInputs &in = engine.inputs();
  int64_t stride = engine.limits().maxTableBlocks;
  int64_t t = 0;
  for (size_t s = 0; s < sequences.size(); ++s) {
    in.sequenceOffsets[s] = int32_t(t);
    std::fill_n(in.blockTables.begin() + int64_t(s) * stride, stride, 0);
    std::ranges::copy(sequences[s].blocks, in.blockTables.begin() + int64_t(s) * stride);
    for (size_t i = 0; i < sequences[s].tokens.size(); ++i, ++t) {
      int32_t position = sequences[s].firstPosition + int32_t(i);
      in.tokenIds[t] = sequences[s].tokens[i];
      in.positions[t] = position;
      in.tokenSequences[t] = int32_t(s);
      in.cacheSlots[t] = sequences[s].blocks[size_t(position) / 64] * 64 + position % 64;
    }
    in.logitRows[s] = int32_t(t - 1);
  }
  in.sequenceOffsets[sequences.size()] = int32_t(t);
  in.numTokens = t;
  in.numSequences = in.numLogitRows = int64_t(sequences.size());
  in.numBiasEntries = in.numPenaltyEntries = 0;
  std::ranges::fill(in.temperature, 0.0f);
  std::ranges::fill(in.topP, 1.0f);
  std::ranges::fill(in.minP, 0.0f);
  std::ranges::fill(in.topK, 0);
  std::ranges::fill(in.maskRows, 0);
  std::ranges::fill(in.logprobCounts, 0);
  std::fill_n(in.biasOffsets.begin(), sequences.size() + 1, 0);
  std::fill_n(in.penaltyOffsets.begin(), sequences.size() + 1, 0);
}

/// The logits of the last of `tokens`, computed the plain way. Values stay whole and small: exact in any
/// order.
inline std::vector<float> expectedLogits(const std::vector<int32_t> &tokens) {
  std::vector<std::array<float, kToyHidden>> x(tokens.size());
  for (size_t t = 0; t < tokens.size(); ++t)
    for (uint32_t i = 0; i < kToyHidden; ++i)
      x[t][i] = toyEmbedding(uint32_t(tokens[t]), i);
  for (uint32_t layer = 0; layer < kToyLayers; ++layer)
    for (size_t t = 0; t < tokens.size(); ++t)
      for (uint32_t i = 0; i < kToyHidden; ++i) // add, then sum over the sequence so far
        x[t][i] += toyBias(layer, i) + (t > 0 ? x[t - 1][i] : 0);
  std::vector<float> logits(kToyVocabulary);
  for (uint32_t v = 0; v < kToyVocabulary; ++v)
    for (uint32_t i = 0; i < kToyHidden; ++i)
      logits[v] += x.back()[i] * toyEmbedding(v, i);
  return logits;
}

inline int32_t argMax(const std::vector<float> &logits) {
  return int32_t(std::ranges::max_element(logits) - logits.begin());
}

} // namespace kimi::test
