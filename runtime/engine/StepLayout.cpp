#include "runtime/engine/StepLayout.h"

#include <algorithm>
#include <utility>

namespace kimi::runtime {

using artifact::StepInput;
using artifact::StepOutput;

static constexpr uint64_t kElementBytes = 4;
static constexpr uint64_t kAlignment = 64;

// Large and seldom used, so behind everything else, in this order. The logits likewise.
static constexpr StepInput kLargeInputs[] = {StepInput::block_tables,   StepInput::bias_tokens,
                                             StepInput::bias_values,    StepInput::penalty_tokens,
                                             StepInput::penalty_counts, StepInput::token_mask};

template <typename Kind, size_t N> static constexpr std::array<Kind, N> orderOf(std::span<const Kind> large) {
  std::array<Kind, N> order{};
  size_t count = 0;
  for (size_t i = 0; i < N; ++i)
    if (std::ranges::find(large, Kind(i)) == large.end())
      order[count++] = Kind(i);
  for (Kind kind : large)
    order[count++] = kind;
  return order;
}

static constexpr StepOutput kLargeOutputs[] = {StepOutput::logits};
static constexpr auto kInputOrder = orderOf<StepInput, kNumStepInputs>(kLargeInputs);
static constexpr auto kOutputOrder = orderOf<StepOutput, kNumStepOutputs>(kLargeOutputs);

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

void ByteRanges::add(uint64_t offset, uint64_t bytes) {
  if (bytes == 0)
    return;
  if (count > 0 && !std::exchange(isClosed, false)) {
    ByteRange &last = items[count - 1];
    if (offset - (last.offset + last.bytes) <= kMergedGap) {
      last.bytes = offset + bytes - last.offset;
      return;
    }
  }
  items[count++] = {offset, bytes};
}

/// Offsets of all members one after another from `start` on; the end.
template <typename Kind, size_t N>
static uint64_t layOut(const std::array<Kind, N> &order, uint64_t start, const Limits &sizes,
                       uint32_t vocabulary, std::array<uint64_t, N> &offsets) {
  uint64_t end = start;
  for (Kind kind : order) {
    offsets[size_t(kind)] = end;
    uint64_t bytes = uint64_t(numElements(kind, sizes, vocabulary)) * kElementBytes;
    // At least one line each, so that no two buffers share an address.
    end += std::max(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
  }
  return end;
}

StepLayout::StepLayout(const Limits &capacity, uint32_t vocabulary)
    : tableBlocks(capacity.maxTableBlocks), vocabulary(vocabulary) {
  static_assert(sizeof(Dims) % kAlignment == 0);
  inputEnd = layOut(kInputOrder, kDimsOffset + sizeof(Dims), capacity, vocabulary, inputOffsets);
  outputEnd = layOut(kOutputOrder, 0, capacity, vocabulary, outputOffsets);
}

int64_t StepLayout::usedColumns(const StepInputs &inputs) const {
  constexpr int64_t kLine = kAlignment / kElementBytes;
  if (uint64_t(inputs.numSequences * tableBlocks) * kElementBytes <= ByteRanges::kMergedGap)
    return tableBlocks;
  int32_t last = std::ranges::max(inputs.positions.first(size_t(inputs.numTokens)));
  return std::min(tableBlocks, (last / kBlockTokens / kLine + 1) * kLine);
}

ByteRanges StepLayout::usedInputs(const StepInputs &inputs, int64_t columns) const {
  Limits sizes{.maxTokens = inputs.numTokens,
               .maxSequences = inputs.numSequences,
               .maxLogitRows = inputs.numLogitRows,
               .maxTableBlocks = tableBlocks,
               .maxBiasEntries = inputs.numBiasEntries,
               .maxPenaltyEntries = inputs.numPenaltyEntries};
  Limits maskSizes = sizes;
  while (maskSizes.maxLogitRows > 0 && inputs.maskRows[size_t(maskSizes.maxLogitRows - 1)] == 0)
    --maskSizes.maxLogitRows;
  ByteRanges used;
  used.add(kDimsOffset, sizeof(Dims));
  for (StepInput input : kInputOrder) {
    const Limits &inputSizes = input == StepInput::token_mask ? maskSizes : sizes;
    if (input != StepInput::block_tables || columns == tableBlocks)
      used.add(offset(input), uint64_t(numElements(input, inputSizes, vocabulary)) * kElementBytes);
    if (input == StepInput::block_tables)
      used.close();
  }
  return used;
}

} // namespace kimi::runtime
