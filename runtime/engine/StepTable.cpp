#include "runtime/engine/StepTable.h"

#include <algorithm>

namespace kimi::runtime {

using artifact::StepInput;
using artifact::StepOutput;

uint64_t StepTable::bytesNeeded(const Limits &capacity, uint32_t vocabulary) {
  StepLayout layout(capacity, vocabulary);
  return layout.inputBytes() + layout.outputBytes();
}

StepTable::StepTable(const Limits &capacity, uint32_t vocabulary, std::byte *inputMemory,
                     std::byte *outputMemory, bool withLogits)
    : capacity(capacity), vocabulary(vocabulary), hasLogits(withLogits), stepLayout(capacity, vocabulary),
      inputStart(inputMemory), outputStart(outputMemory) {
  makeViews();
  std::ranges::fill(inputViews.topP, 1.0f);
  std::ranges::fill(inputViews.repetitionPenalty, 1.0f);
}

Expected<StepTable> StepTable::create(const Limits &capacity, uint32_t vocabulary) {
  StepLayout layout(capacity, vocabulary);
  TRY_ASSIGN(HostBuffer inputs, HostBuffer::allocate(layout.inputBytes(), "step inputs"));
  TRY_ASSIGN(HostBuffer outputs, HostBuffer::allocate(layout.outputBytes(), "step outputs"));
  StepTable table(capacity, vocabulary, inputs.data(), outputs.data(), /*withLogits=*/true);
  table.inputBuffer = std::move(inputs);
  table.outputBuffer = std::move(outputs);
  return table;
}

template <typename T> std::span<T> StepTable::view(StepInput input) const {
  static_assert(sizeof(T) == 4);
  return {reinterpret_cast<T *>(inputStart + stepLayout.offset(input)),
          size_t(numElements(input, capacity, vocabulary))};
}

template <typename T> std::span<const T> StepTable::view(StepOutput output, int64_t numRows) const {
  static_assert(sizeof(T) == 4);
  Limits sizes = capacity;
  sizes.maxLogitRows = numRows;
  return {reinterpret_cast<const T *>(outputStart + stepLayout.offset(output)),
          size_t(numElements(output, sizes, vocabulary))};
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
  out.logits = view<float>(StepOutput::logits, hasLogits ? numLogitRows : 0);
  out.sampledLogprobs = view<float>(StepOutput::sampled_logprobs, numLogitRows);
  out.topTokens = view<int32_t>(StepOutput::top_tokens, numLogitRows);
  out.topLogprobs = view<float>(StepOutput::top_logprobs, numLogitRows);
  out.finite = view<int32_t>(StepOutput::finite, numLogitRows);
}

} // namespace kimi::runtime
