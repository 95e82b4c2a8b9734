// Which tokens of which sequences run in one step, and how that is written into the engine's input table.
#pragma once

#include "server/schedule/Sequence.h"

#include <vector>

namespace kimi::schedule {

/// One row of logits that the step gives back.
struct PlannedRow {
  int64_t position = 0;
  int32_t score = -1; // the token whose log-probability is wanted; -1 = none
  bool draws = false; // the sequence's next token comes from this row
  bool reads = false; // its logits go to Request::onLogits
};

/// Neighbouring positions of one sequence that run in this step.
struct PlannedChunk {
  Sequence *sequence = nullptr;
  int64_t begin = 0;
  int64_t length = 0;
  size_t firstRow = 0;
  size_t numRows = 0;
};

class StepPlan {
public:
  /// `limits` are those of the step: the engine's, lowered by the scheduler's options.
  StepPlan(const Limits &limits, int64_t vocabulary);

  void clear();
  bool isEmpty() const { return chunks.empty(); }
  bool contains(const Sequence &sequence) const;

  /// How many of the sequence's pending positions fit beside what is planned; at most `mostTokens`. 0 = none.
  int64_t roomFor(const Sequence &sequence, int64_t mostTokens) const;
  /// `length` is at most what roomFor said.
  void add(Sequence &sequence, int64_t length);

  /// Writes the prefixes and counts of every input.
  void fill(StepInputs &inputs);

  const std::vector<PlannedChunk> &plannedChunks() const { return chunks; }
  const PlannedRow &row(size_t index) const { return rows[index]; }
  int64_t plannedTokens() const { return numTokens; }

private:
  static std::optional<PlannedRow> rowAt(const Sequence &sequence, int64_t position);
  void fillChunk(StepInputs &inputs, int64_t index, int64_t firstToken);
  void fillTable(StepInputs &inputs, const Sequence &sequence, int64_t index);
  void fillRow(StepInputs &inputs, const PlannedChunk &chunk, int64_t index, int64_t tokenRow);
  void fillSampling(StepInputs &inputs, const Sequence &sequence, int64_t index) const;
  void fillScore(StepInputs &inputs, int64_t index, int32_t token) const;

  const Limits limits;
  const int64_t maskWords; // of token_mask per row
  std::vector<PlannedChunk> chunks;
  std::vector<PlannedRow> rows;
  int64_t numTokens = 0, numBiasEntries = 0, numPenaltyEntries = 0;

  /// What fills have left in a row of the block table.
  struct TableRow {
    RequestId request = 0;
    int64_t numRestarts = -1; // the request's; -1 = nobody's row yet
    int64_t numBlocks = 0;
  };
  std::vector<TableRow> tableRows;
};

} // namespace kimi::schedule
