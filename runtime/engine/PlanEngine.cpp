#include "runtime/engine/PlanEngine.h"

#include "runtime/base/Units.h"
#include "runtime/engine/StepCheck.h"

#include <algorithm>
#include <fmt/format.h>

namespace kimi::runtime {

using namespace kimi::artifact;

static ModelInfo describeModel(const Artifact &artifact) {
  const Model &model = *artifact.plan().model();
  return {.name = model.name()->str(),
          .numerics = model.numerics() ? model.numerics()->str() : "",
          .target = artifact.rank().target()->str(),
          .fingerprint = artifact.fingerprint(),
          .vocabulary = model.vocabulary(),
          .hidden = model.hidden(),
          .layers = model.layers(),
          .contextLength = model.context_length()};
}

PlanEngine::PlanEngine(Artifact opened)
    : artifact(std::move(opened)), modelInfo(describeModel(artifact)), stepLimits(callerLimits(artifact.rank())),
      bufferCapacity(largestCapacity(artifact.rank())), profileTimes(artifact.rank()) {
  sortEntries();
}

void PlanEngine::sortEntries() {
  const auto &entries = *artifact.rank().entries();
  for (uint32_t i = 0; i < entries.size(); ++i)
    (entries[i]->kind() == EntryKind::decode ? decodeEntries : mixedEntries).push_back(i);
  auto isSmaller = [&](uint32_t a, uint32_t b) {
    return entries[a]->capacity()->max_tokens() < entries[b]->capacity()->max_tokens();
  };
  std::ranges::stable_sort(decodeEntries, isSmaller);
  std::ranges::stable_sort(mixedEntries, isSmaller);
}

Status PlanEngine::checkMemory(const MemoryNeed &need) {
  if (need.total() <= need.available)
    return {};
  return failure(fmt::format("too little memory: weights {}, arena {} and step table {} are needed, {} is available",
                             formatBytes(double(need.weights)), formatBytes(double(need.arena)),
                             formatBytes(double(need.stepTable)), formatBytes(double(need.available))));
}

Status PlanEngine::sizeStep(const EngineOptions &options, const MemoryNeed &need) {
  TRY_ASSIGN(int64_t blocks, chooseCacheBlocks(artifact.rank(), options.cacheBytes, need));
  stepLimits.cacheBlocks = bufferCapacity.cacheBlocks = blocks;
  TRY_ASSIGN(table, StepTable::create(bufferCapacity, modelInfo.vocabulary));
  return {};
}

Dims PlanEngine::currentDims() const {
  const StepInputs &in = table.inputs();
  Dims dims{};
  dim(dims, DimSymbol::one) = 1;
  dim(dims, DimSymbol::tokens) = in.numTokens;
  dim(dims, DimSymbol::sequences) = in.numSequences;
  dim(dims, DimSymbol::logit_rows) = in.numLogitRows;
  dim(dims, DimSymbol::table_blocks) = bufferCapacity.maxTableBlocks;
  dim(dims, DimSymbol::cache_blocks) = bufferCapacity.cacheBlocks;
  dim(dims, DimSymbol::bias_entries) = in.numBiasEntries;
  dim(dims, DimSymbol::penalty_entries) = in.numPenaltyEntries;
  for (int32_t position : in.positions.first(size_t(in.numTokens)))
    dim(dims, DimSymbol::context_tokens) += position + 1;
  return dims;
}

/// True when the entry's buffers hold a step of these sizes.
static bool fits(const Entry &entry, const Dims &dims) {
  const Capacity &capacity = *entry.capacity();
  auto size = [&](DimSymbol symbol) { return dims[size_t(symbol)]; };
  return size(DimSymbol::tokens) <= capacity.max_tokens() &&
         size(DimSymbol::sequences) <= capacity.max_sequences() &&
         size(DimSymbol::logit_rows) <= capacity.max_logit_rows() &&
         size(DimSymbol::bias_entries) <= capacity.max_bias_entries() &&
         size(DimSymbol::penalty_entries) <= capacity.max_penalty_entries();
}

Expected<uint32_t> PlanEngine::chooseEntry(const Dims &dims) const {
  const StepInputs &in = table.inputs();
  const auto &entries = *artifact.rank().entries();
  if (in.numTokens == in.numSequences) // Sequences are not empty, so each has one token.
    for (uint32_t entry : decodeEntries)
      if (fits(*entries[entry], dims))
        return entry;
  for (uint32_t entry : mixedEntries)
    if (fits(*entries[entry], dims))
      return entry;
  return failure(fmt::format("no entry holds a step of {} tokens, {} sequences, {} logit rows, {} bias and {} "
                             "penalty entries",
                             in.numTokens, in.numSequences, in.numLogitRows, in.numBiasEntries, in.numPenaltyEntries));
}

Status PlanEngine::step() {
  TRY(checkStep(table.inputs(), bufferCapacity, modelInfo));
  Dims dims = currentDims();
  TRY_ASSIGN(uint32_t entry, chooseEntry(dims));
  TRY(run(entry, dims));
  table.showRows(table.inputs().numLogitRows);
  return {};
}

void PlanEngine::setProfiling(bool on) {
  profileTimes.clear();
  profiling = on;
}

} // namespace kimi::runtime
