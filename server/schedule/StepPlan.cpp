#include "server/schedule/StepPlan.h"

#include <algorithm>

namespace kimi::schedule {

static int64_t numBiasEntriesOf(const Sequence &sequence) {
  return static_cast<int64_t>(sequence.request.sampling.logitBias.size());
}

static int64_t numPenaltyEntriesOf(const Sequence &sequence) {
  return static_cast<int64_t>(sequence.penalties().size());
}

StepPlan::StepPlan(const Limits &limits, int64_t vocabulary)
    : limits(limits), maskWords((vocabulary + 31) / 32), tableRows(limits.maxSequences) {}

void StepPlan::clear() {
  chunks.clear();
  rows.clear();
  numTokens = numBiasEntries = numPenaltyEntries = 0;
}

bool StepPlan::contains(const Sequence &sequence) const {
  return std::ranges::any_of(chunks, [&](const PlannedChunk &chunk) { return chunk.sequence == &sequence; });
}

std::optional<PlannedRow> StepPlan::rowAt(const Sequence &sequence, int64_t position) {
  PlannedRow row{.position = position};
  if (sequence.wantsScore(position))
    row.score = sequence.tokens[position + 1];
  row.draws = position + 1 == sequence.numTokens() && sequence.request.maxTokens > 0;
  row.reads = sequence.wantsLogits(position);
  if (row.score < 0 && !row.draws && !row.reads)
    return std::nullopt;
  return row;
}

int64_t StepPlan::roomFor(const Sequence &sequence, int64_t mostTokens) const {
  if (static_cast<int64_t>(chunks.size()) >= limits.maxSequences)
    return 0;
  int64_t length = std::min({sequence.numPending(), limits.maxTokens - numTokens, mostTokens});
  int64_t rowsLeft = limits.maxLogitRows - static_cast<int64_t>(rows.size());
  bool samplingFits = numBiasEntriesOf(sequence) + numBiasEntries <= limits.maxBiasEntries &&
                      numPenaltyEntriesOf(sequence) + numPenaltyEntries <= limits.maxPenaltyEntries;
  // Most chunks want a row for their last position only, if at all; the others are walked until rows run out.
  bool wantsInnerRows = sequence.request.promptLogprobs || !sequence.request.logitPositions.empty();
  int64_t offset = wantsInnerRows ? 0 : std::max<int64_t>(0, length - 1);
  for (; offset < length; ++offset) {
    std::optional<PlannedRow> row = rowAt(sequence, sequence.numComputed + offset);
    if (!row)
      continue;
    if (rowsLeft-- <= 0 || (row->draws && !samplingFits))
      return offset;
  }
  return std::max<int64_t>(0, length);
}

void StepPlan::add(Sequence &sequence, int64_t length) {
  PlannedChunk chunk{
      .sequence = &sequence, .begin = sequence.numComputed, .length = length, .firstRow = rows.size()};
  for (int64_t position = chunk.begin; position < chunk.begin + length; ++position)
    if (std::optional<PlannedRow> row = rowAt(sequence, position)) {
      rows.push_back(*row);
      if (row->draws) {
        numBiasEntries += numBiasEntriesOf(sequence);
        numPenaltyEntries += numPenaltyEntriesOf(sequence);
      }
    }
  chunk.numRows = rows.size() - chunk.firstRow;
  numTokens += length;
  chunks.push_back(chunk);
}

void StepPlan::fill(StepInputs &inputs) {
  inputs.numTokens = numTokens;
  inputs.numSequences = static_cast<int64_t>(chunks.size());
  inputs.numLogitRows = static_cast<int64_t>(rows.size());
  inputs.numBiasEntries = inputs.numPenaltyEntries = 0; // fillSampling counts them up
  inputs.biasOffsets[0] = inputs.penaltyOffsets[0] = 0;
  int64_t firstToken = 0;
  for (size_t index = 0; index < chunks.size(); ++index) {
    fillChunk(inputs, static_cast<int64_t>(index), firstToken);
    firstToken += chunks[index].length;
  }
  inputs.sequenceOffsets[chunks.size()] = static_cast<int32_t>(firstToken);
}

void StepPlan::fillChunk(StepInputs &inputs, int64_t index, int64_t firstToken) {
  const PlannedChunk &chunk = chunks[index];
  const Sequence &sequence = *chunk.sequence;
  inputs.sequenceOffsets[index] = static_cast<int32_t>(firstToken);
  fillTable(inputs, sequence, index);
  for (int64_t offset = 0; offset < chunk.length; ++offset) {
    int64_t position = chunk.begin + offset, token = firstToken + offset;
    inputs.tokenIds[token] = sequence.tokens[position];
    inputs.positions[token] = static_cast<int32_t>(position);
    inputs.tokenSequences[token] = static_cast<int32_t>(index);
    int32_t block = sequence.blocks[position / kBlockTokens];
    inputs.cacheSlots[token] = block * kBlockTokens + static_cast<int32_t>(position % kBlockTokens);
  }
  for (size_t row = chunk.firstRow; row < chunk.firstRow + chunk.numRows; ++row)
    fillRow(inputs, chunk, static_cast<int64_t>(row), firstToken + rows[row].position - chunk.begin);
}

/// A sequence that stays in its row has only blocks added. Entries past a sequence must be 0, so what another one has left
/// in the row is wiped, and no more.
void StepPlan::fillTable(StepInputs &inputs, const Sequence &sequence, int64_t index) {
  TableRow &row = tableRows[index];
  auto table = inputs.blockTables.subspan(index * limits.maxTableBlocks, limits.maxTableBlocks);
  int64_t numBlocks = static_cast<int64_t>(sequence.blocks.size());
  bool stays = row.request == sequence.request.id && row.numRestarts == sequence.numRestarts;
  int64_t numKept = stays ? row.numBlocks : 0;
  std::copy(sequence.blocks.begin() + numKept, sequence.blocks.end(), table.begin() + numKept);
  if (row.numBlocks > numBlocks)
    std::ranges::fill(table.subspan(numBlocks, row.numBlocks - numBlocks), 0);
  row = {sequence.request.id, sequence.numRestarts, numBlocks};
}

void StepPlan::fillRow(StepInputs &inputs, const PlannedChunk &chunk, int64_t index, int64_t tokenRow) {
  const Sequence &sequence = *chunk.sequence;
  const SamplingParams &sampling = sequence.request.sampling;
  inputs.logitRows[index] = static_cast<int32_t>(tokenRow);
  inputs.logprobCounts[index] = sampling.numTopLogprobs;
  inputs.seeds[2 * index] = static_cast<uint32_t>(sequence.seed);
  inputs.seeds[2 * index + 1] = static_cast<uint32_t>(sequence.seed >> 32);
  inputs.drawIndex[index] = static_cast<uint32_t>(sequence.numOutputTokens());
  // Off until the row turns out to draw.
  inputs.temperature[index] = 0;
  inputs.topP[index] = 1;
  inputs.minP[index] = 0;
  inputs.topK[index] = 0;
  inputs.maskRows[index] = 0;
  inputs.repetitionPenalty[index] = 1;
  inputs.presencePenalty[index] = inputs.frequencyPenalty[index] = 0;
  if (rows[index].draws)
    fillSampling(inputs, sequence, index);
  else if (rows[index].score >= 0)
    fillScore(inputs, index, rows[index].score);
  inputs.biasOffsets[index + 1] = static_cast<int32_t>(inputs.numBiasEntries);
  inputs.penaltyOffsets[index + 1] = static_cast<int32_t>(inputs.numPenaltyEntries);
}

void StepPlan::fillSampling(StepInputs &inputs, const Sequence &sequence, int64_t index) const {
  const SamplingParams &sampling = sequence.request.sampling;
  inputs.temperature[index] = sampling.temperature;
  inputs.topP[index] = sampling.topP;
  inputs.minP[index] = sampling.minP;
  inputs.topK[index] = sampling.topK;
  inputs.repetitionPenalty[index] = sampling.repetitionPenalty;
  inputs.presencePenalty[index] = sampling.presencePenalty;
  inputs.frequencyPenalty[index] = sampling.frequencyPenalty;
  for (const TokenBias &entry : sampling.logitBias) {
    inputs.biasTokens[inputs.numBiasEntries] = entry.token;
    inputs.biasValues[inputs.numBiasEntries++] = entry.bias;
  }
  for (auto [token, occurrences] : sequence.penalties()) {
    inputs.penaltyTokens[inputs.numPenaltyEntries] = token;
    inputs.penaltyCounts[inputs.numPenaltyEntries++] = occurrences;
  }
}

// A log-probability comes with the drawn token only. So the row "draws" under a mask that allows nothing but
// the token to score: the artifact's kernels do the mathematics, and the server none.
void StepPlan::fillScore(StepInputs &inputs, int64_t index, int32_t token) const {
  auto mask = inputs.tokenMask.subspan(index * maskWords, maskWords);
  std::ranges::fill(mask, 0u);
  mask[token / 32] = 1u << (token % 32);
  inputs.maskRows[index] = 1;
}

} // namespace kimi::schedule
