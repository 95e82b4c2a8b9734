#include "runtime/engine/StepTable.h"

#include <algorithm>
#include <cstring>

namespace kimi::runtime {

using artifact::StepInput;
using artifact::StepOutput;

static constexpr int64_t kElementBytes = 4;
static constexpr uint64_t kAlignment = 64;

int64_t numElements(StepInput input, const Limits &sizes, uint32_t vocabulary) {
  switch (input) {
  case StepInput::token_ids:
  case StepInput::positions:
  case StepInput::token_sequences:
  case StepInput::cache_slots:
    return sizes.maxTokens;
  case StepInput::sequence_offsets:
    return sizes.maxSequences + 1;
  case StepInput::block_tables:
    return sizes.maxSequences * sizes.maxTableBlocks;
  case StepInput::seeds:
    return sizes.maxLogitRows * 2;
  case StepInput::token_mask:
    return sizes.maxLogitRows * ((int64_t(vocabulary) + 31) / 32);
  case StepInput::bias_offsets:
  case StepInput::penalty_offsets:
    return sizes.maxLogitRows + 1;
  case StepInput::bias_tokens:
  case StepInput::bias_values:
    return sizes.maxBiasEntries;
  case StepInput::penalty_tokens:
  case StepInput::penalty_counts:
    return sizes.maxPenaltyEntries;
  default: // one per logit row
    return sizes.maxLogitRows;
  }
}

int64_t numElements(StepOutput output, const Limits &sizes, uint32_t vocabulary) {
  switch (output) {
  case StepOutput::logits:
    return sizes.maxLogitRows * vocabulary;
  case StepOutput::top_tokens:
  case StepOutput::top_logprobs:
    return sizes.maxLogitRows * kMaxTopLogprobs;
  default: // one per logit row
    return sizes.maxLogitRows;
  }
}

/// Offsets of all members one after another; the total size.
template <typename Kind, size_t N>
static uint64_t layOut(const Limits &sizes, uint32_t vocabulary, std::array<uint64_t, N> &offsets) {
  uint64_t end = 0;
  for (size_t i = 0; i < N; ++i) {
    offsets[i] = end;
    uint64_t bytes = uint64_t(numElements(Kind(i), sizes, vocabulary) * kElementBytes);
    // At least one line each, so that no two buffers share an address.
    end += std::max(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
  }
  return end;
}

uint64_t StepTable::bytesNeeded(const Limits &capacity, uint32_t vocabulary) {
  std::array<uint64_t, kNumStepInputs> inputs;
  std::array<uint64_t, kNumStepOutputs> outputs;
  return layOut<StepInput>(capacity, vocabulary, inputs) + layOut<StepOutput>(capacity, vocabulary, outputs);
}

Expected<StepTable> StepTable::create(const Limits &capacity, uint32_t vocabulary) {
  StepTable table;
  table.capacity = capacity;
  table.vocabulary = vocabulary;
  std::array<uint64_t, kNumStepInputs> inputOffsets;
  std::array<uint64_t, kNumStepOutputs> outputOffsets;
  uint64_t inputBytes = layOut<StepInput>(capacity, vocabulary, inputOffsets);
  uint64_t outputBytes = layOut<StepOutput>(capacity, vocabulary, outputOffsets);
  TRY_ASSIGN(table.inputBuffer, HostBuffer::allocate(inputBytes, "step inputs"));
  TRY_ASSIGN(table.outputBuffer, HostBuffer::allocate(outputBytes, "step outputs"));
  for (size_t i = 0; i < kNumStepInputs; ++i)
    table.inputAddresses[i] = table.inputBuffer.data() + inputOffsets[i];
  for (size_t i = 0; i < kNumStepOutputs; ++i)
    table.outputAddresses[i] = table.outputBuffer.data() + outputOffsets[i];
  table.makeViews();
  std::ranges::fill(table.inputViews.topP, 1.0f);
  std::ranges::fill(table.inputViews.repetitionPenalty, 1.0f);
  return table;
}

template <typename T> std::span<T> StepTable::view(StepInput input) const {
  static_assert(sizeof(T) == kElementBytes);
  return {static_cast<T *>(address(input)), size_t(numElements(input, capacity, vocabulary))};
}

template <typename T> std::span<const T> StepTable::view(StepOutput output, int64_t numRows) const {
  static_assert(sizeof(T) == kElementBytes);
  Limits sizes = capacity;
  sizes.maxLogitRows = numRows;
  return {static_cast<const T *>(address(output)), size_t(numElements(output, sizes, vocabulary))};
}

void StepTable::makeViews() {
  StepInputs &in = inputViews;
  in.tokenIds = view<int32_t>(StepInput::token_ids);
  in.positions = view<int32_t>(StepInput::positions);
  in.tokenSequences = view<int32_t>(StepInput::token_sequences);
  in.sequenceOffsets = view<int32_t>(StepInput::sequence_offsets);
  in.blockTables = view<int32_t>(StepInput::block_tables);
  in.cacheSlots = view<int32_t>(StepInput::cache_slots);
  in.logitRows = view<int32_t>(StepInput::logit_rows);
  in.temperature = view<float>(StepInput::temperature);
  in.topP = view<float>(StepInput::top_p);
  in.minP = view<float>(StepInput::min_p);
  in.topK = view<int32_t>(StepInput::top_k);
  in.seeds = view<uint32_t>(StepInput::seeds);
  in.drawIndex = view<uint32_t>(StepInput::draw_index);
  in.maskRows = view<int32_t>(StepInput::mask_rows);
  in.tokenMask = view<uint32_t>(StepInput::token_mask);
  in.biasOffsets = view<int32_t>(StepInput::bias_offsets);
  in.biasTokens = view<int32_t>(StepInput::bias_tokens);
  in.biasValues = view<float>(StepInput::bias_values);
  in.penaltyOffsets = view<int32_t>(StepInput::penalty_offsets);
  in.penaltyTokens = view<int32_t>(StepInput::penalty_tokens);
  in.penaltyCounts = view<int32_t>(StepInput::penalty_counts);
  in.repetitionPenalty = view<float>(StepInput::repetition_penalty);
  in.presencePenalty = view<float>(StepInput::presence_penalty);
  in.frequencyPenalty = view<float>(StepInput::frequency_penalty);
  in.logprobCounts = view<int32_t>(StepInput::logprob_counts);
}

void StepTable::showRows(int64_t numLogitRows) {
  StepOutputs &out = outputViews;
  out.sampledTokens = view<int32_t>(StepOutput::sampled_tokens, numLogitRows);
  out.logits = view<float>(StepOutput::logits, numLogitRows);
  out.sampledLogprobs = view<float>(StepOutput::sampled_logprobs, numLogitRows);
  out.topTokens = view<int32_t>(StepOutput::top_tokens, numLogitRows);
  out.topLogprobs = view<float>(StepOutput::top_logprobs, numLogitRows);
  out.finite = view<int32_t>(StepOutput::finite, numLogitRows);
}

void StepTable::poisonOutputs() {
  if (outputBuffer.size() > 0)
    std::memset(outputBuffer.data(), 0xff, outputBuffer.size());
}

} // namespace kimi::runtime
