#include "runtime/engine/StepCheck.h"

#include <algorithm>
#include <climits>
#include <fmt/format.h>
#include <limits>

namespace kimi::runtime {

namespace {

Status checkCount(const char *field, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) [[likely]]
    return {};
  return failure(fmt::format("{} is {}, expected {} to {}", field, value, low, high));
}

/// Every value in [low, high]. The loop finds only whether one is outside, so that it vectorises; which one
/// is a question for the error, which counts from `first` on.
template <typename T>
Status checkValues(const char *field, std::span<const T> values, T low, T high, size_t first = 0) {
  int numOutside = 0; // an int and not a bool: GCC vectorises the sum, not the conjunction
  for (T value : values)
    numOutside += !(value >= low && value <= high); // counts a NaN
  if (numOutside == 0) [[likely]]
    return {};
  size_t i = 0;
  while (values[i] >= low && values[i] <= high)
    ++i;
  return failure(fmt::format("{}[{}] is {}, expected {} to {}", field, first + i, values[i], low, high));
}

template <typename T> std::span<const T> prefix(std::span<T> values, int64_t count) {
  return values.first(size_t(count));
}

/// offsets[0] = 0, each step up at least `minStep`, offsets[count] = end.
Status checkOffsets(const char *field, std::span<const int32_t> offsets, int32_t minStep, int64_t end) {
  if (offsets.front() != 0)
    return failure(fmt::format("{}[0] is {}, expected 0", field, offsets.front()));
  for (size_t i = 1; i < offsets.size(); ++i)
    if (offsets[i] < int64_t(offsets[i - 1]) + minStep)
      return failure(fmt::format("{}[{}] is {}, expected at least {}", field, i, offsets[i],
                                 int64_t(offsets[i - 1]) + minStep));
  if (offsets.back() != end)
    return failure(fmt::format("{}[{}] is {}, expected {}", field, offsets.size() - 1, offsets.back(), end));
  return {};
}

Status checkCounts(const StepInputs &in, const Limits &limits) {
  TRY(checkCount("numTokens", in.numTokens, 1, limits.maxTokens));
  TRY(checkCount("numSequences", in.numSequences, 1, std::min(limits.maxSequences, in.numTokens)));
  TRY(checkCount("numLogitRows", in.numLogitRows, 0, limits.maxLogitRows));
  TRY(checkCount("numBiasEntries", in.numBiasEntries, 0, limits.maxBiasEntries));
  return checkCount("numPenaltyEntries", in.numPenaltyEntries, 0, limits.maxPenaltyEntries);
}

Status checkSequences(const StepInputs &in) {
  auto offsets = prefix(in.sequenceOffsets, in.numSequences + 1);
  TRY(checkOffsets("sequenceOffsets", offsets, 1, in.numTokens));
  auto sequences = prefix(in.tokenSequences, in.numTokens);
  for (int64_t s = 0; s < in.numSequences; ++s)
    for (int32_t t = offsets[size_t(s)]; t < offsets[size_t(s) + 1]; ++t)
      if (sequences[size_t(t)] != s)
        return failure(fmt::format("tokenSequences[{}] is {}, expected {} by sequenceOffsets", t,
                                   sequences[size_t(t)], s));
  return {};
}

Status checkTokens(const StepInputs &in, const Limits &limits, const ModelInfo &model) {
  auto tokens = [&](std::span<int32_t> values) { return prefix(values, in.numTokens); };
  TRY(checkValues<int32_t>("tokenIds", tokens(in.tokenIds), 0, int32_t(model.vocabulary - 1)));
  TRY(checkValues<int32_t>("positions", tokens(in.positions), 0, int32_t(model.contextLength - 1)));
  return checkValues<int32_t>("cacheSlots", tokens(in.cacheSlots), 0,
                              int32_t(limits.cacheBlocks * kBlockTokens - 1));
}

Status checkSampling(const StepInputs &in) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  auto rows = [&](auto values) { return prefix(values, in.numLogitRows); };
  TRY(checkValues<int32_t>("logitRows", rows(in.logitRows), 0, int32_t(in.numTokens - 1)));
  TRY(checkValues<float>("temperature", rows(in.temperature), 0, kLargest));
  TRY(checkValues<float>("topP", rows(in.topP), 0, 1));
  TRY(checkValues<float>("minP", rows(in.minP), 0, 1));
  TRY(checkValues<int32_t>("topK", rows(in.topK), 0, INT32_MAX));
  TRY(checkValues<int32_t>("maskRows", rows(in.maskRows), 0, 1));
  TRY(checkValues<float>("repetitionPenalty", rows(in.repetitionPenalty), std::numeric_limits<float>::min(),
                         kLargest));
  TRY(checkValues<float>("presencePenalty", rows(in.presencePenalty), -kLargest, kLargest));
  TRY(checkValues<float>("frequencyPenalty", rows(in.frequencyPenalty), -kLargest, kLargest));
  return checkValues<int32_t>("logprobCounts", rows(in.logprobCounts), 0, kMaxTopLogprobs);
}

Status checkLists(const StepInputs &in, const ModelInfo &model) {
  int32_t lastToken = int32_t(model.vocabulary - 1);
  auto biasTokens = prefix(in.biasTokens, in.numBiasEntries);
  auto penaltyTokens = prefix(in.penaltyTokens, in.numPenaltyEntries);
  TRY(checkOffsets("biasOffsets", prefix(in.biasOffsets, in.numLogitRows + 1), 0, in.numBiasEntries));
  TRY(checkOffsets("penaltyOffsets", prefix(in.penaltyOffsets, in.numLogitRows + 1), 0,
                   in.numPenaltyEntries));
  TRY(checkValues<int32_t>("biasTokens", biasTokens, 0, lastToken));
  TRY(checkValues<int32_t>("penaltyTokens", penaltyTokens, 0, lastToken));
  return checkValues<int32_t>("penaltyCounts", prefix(in.penaltyCounts, in.numPenaltyEntries), 0, INT32_MAX);
}

/// Begins to load the first `columns` of all rows. They lie apart, and after a long wait in no cache: asked for one row
/// after another, each would be waited for by itself.
void fetchColumns(const StepInputs &in, int64_t stride, int64_t columns) {
  constexpr int64_t kLine = 64 / sizeof(int32_t);
  for (int64_t s = 0; s < in.numSequences; ++s)
    for (int64_t column = 0; column < columns; column += kLine)
      __builtin_prefetch(&in.blockTables[size_t(s * stride + column)]);
}

} // namespace

Status checkStep(const StepInputs &inputs, const Limits &limits, const ModelInfo &model) {
  TRY(checkCounts(inputs, limits));
  TRY(checkSequences(inputs));
  TRY(checkTokens(inputs, limits, model));
  TRY(checkSampling(inputs));
  return checkLists(inputs, model);
}

Status checkBlockTables(const StepInputs &inputs, const Limits &limits, int64_t columns) {
  const int32_t last = int32_t(limits.cacheBlocks - 1);
  const int64_t stride = limits.maxTableBlocks;
  // Rows that are whole lie one after another.
  if (columns == stride)
    return checkValues<int32_t>("blockTables", prefix(inputs.blockTables, inputs.numSequences * stride), 0,
                                last, 0);
  fetchColumns(inputs, stride, columns);
  for (int64_t s = 0; s < inputs.numSequences; ++s)
    TRY(checkValues<int32_t>("blockTables",
                             std::span(inputs.blockTables).subspan(size_t(s * stride), size_t(columns)), 0,
                             last, size_t(s * stride)));
  return {};
}

} // namespace kimi::runtime
