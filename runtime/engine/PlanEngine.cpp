#include "runtime/engine/PlanEngine.h"

#include "runtime/base/Clock.h"
#include "runtime/engine/PlanCheck.h"
#include "runtime/engine/StepCheck.h"

#include <algorithm>
#include <fmt/format.h>

namespace kimi::runtime {

using namespace kimi::artifact;

static ModelInfo describeModel(const Artifact &artifact) {
  const Model &model = *artifact.plan().model();
  return {.name = model.name()->str(),
          .weights = artifact.manifest().weights,
          .layersKept = artifact.manifest().layers,
          .numerics = model.numerics() ? model.numerics()->str() : "",
          .target = artifact.rank().target()->str(),
          .device = {},
          .fingerprint = artifact.fingerprint(),
          .vocabulary = model.vocabulary(),
          .hidden = model.hidden(),
          .layers = model.layers(),
          .contextLength = model.context_length()};
}

PlanEngine::PlanEngine(Artifact opened, const EngineOptions &options)
    : artifact(std::move(opened)), modelInfo(describeModel(artifact)),
      stepLimits(callerLimits(artifact.rank())), bufferCapacity(largestCapacity(artifact.rank())),
      poison(options.poison), profileTimes(artifact.rank()) {}

Status PlanEngine::planMemory(const MemoryNeed &need, uint64_t cacheBytes) {
  TRY(checkMemory(artifact.plan(), rank(), need));
  TRY_ASSIGN(int64_t blocks, chooseCacheBlocks(rank(), cacheBytes, need));
  stepLimits.cacheBlocks = bufferCapacity.cacheBlocks = blocks;
  return {};
}

uint64_t PlanEngine::cacheBytes(uint32_t cache) const {
  const Cache &planned = *rank().caches()->Get(cache);
  return layerBlockBytes(planned) * planned.layers() * uint64_t(stepLimits.cacheBlocks);
}

void PlanEngine::resolvePrograms(Addresses addresses) {
  addresses.cacheLayerBytes.clear();
  for (uint32_t i = 0; i < sizeOf(rank().caches()); ++i)
    addresses.cacheLayerBytes.push_back(layerBlockBytes(*rank().caches()->Get(i)) *
                                        uint64_t(stepLimits.cacheBlocks));
  for (const Entry *entry : *rank().entries()) {
    (entry->kind() == EntryKind::decode ? decodeOrder : mixedOrder).push_back(programs.size());
    programs.emplace_back(rank(), *entry, addresses);
  }
  auto isSmaller = [&](size_t a, size_t b) {
    return programs[a].entry().capacity()->max_tokens() < programs[b].entry().capacity()->max_tokens();
  };
  std::ranges::stable_sort(decodeOrder, isSmaller);
  std::ranges::stable_sort(mixedOrder, isSmaller);
}

void PlanEngine::setDims() {
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
  table.dims() = dims;
}

Expected<size_t> PlanEngine::chooseProgram() const {
  const StepInputs &in = table.inputs();
  const Dims &dims = table.dims();
  if (in.numTokens == in.numSequences) // Sequences are not empty, so each has one token.
    for (size_t index : decodeOrder)
      if (programs[index].fits(dims))
        return index;
  for (size_t index : mixedOrder)
    if (programs[index].fits(dims))
      return index;
  return failure(
      fmt::format("no entry holds a step of {} tokens, {} sequences, {} logit rows, {} bias and {} "
                  "penalty entries",
                  in.numTokens, in.numSequences, in.numLogitRows, in.numBiasEntries, in.numPenaltyEntries));
}

/// The step is safe, and its dims are set: programs[index] runs it.
Expected<size_t> PlanEngine::checkAndChoose() {
  TRY(checkStep(table.inputs(), bufferCapacity, modelInfo));
  tableColumns = table.layout().usedColumns(table.inputs());
  TRY(checkBlockTables(table.inputs(), bufferCapacity, tableColumns));
  setDims();
  return chooseProgram();
}

Status PlanEngine::step() {
  stepTimes = {};
  auto start = Clock::now();
  TRY_ASSIGN(size_t index, checkAndChoose());
  stepTimes.check = secondsSince(start);
  TRY(run(index));
  table.showRows(table.inputs().numLogitRows);
  return {};
}

void PlanEngine::setProfiling(bool on) {
  profileTimes.clear();
  profiling = on;
}

} // namespace kimi::runtime
