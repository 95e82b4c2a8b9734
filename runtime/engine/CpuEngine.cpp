#include "runtime/engine/CpuEngine.h"

#include "runtime/base/Machine.h"
#include "runtime/base/Units.h"
#include "runtime/cpu/Target.h"
#include "runtime/engine/Description.h"
#include "runtime/engine/PlanCheck.h"
#include "runtime/engine/StepCheck.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace kimi {

Expected<std::unique_ptr<Engine>> Engine::load(const std::filesystem::path &path,
                                               const EngineOptions &options) {
  int numThreads = options.numThreads > 0 ? options.numThreads : runtime::usableThreads();
  TRY_ASSIGN(runtime::Artifact artifact,
             runtime::Artifact::open(path, {.verifyWeights = options.verifyWeights,
                                            .numThreads = numThreads,
                                            .progress = options.progress}));
  auto engine = runtime::CpuEngine::load(std::move(artifact), options, numThreads);
  if (!engine)
    return failure(path.string(), engine.error());
  return engine;
}

namespace runtime {

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

CpuEngine::CpuEngine(Artifact opened, int numThreads)
    : artifact(std::move(opened)), modelInfo(describeModel(artifact)),
      stepLimits(callerLimits(artifact.rank())), bufferCapacity(largestCapacity(artifact.rank())),
      profileTimes(artifact.rank()), pool(numThreads) {}

Expected<std::unique_ptr<Engine>> CpuEngine::load(Artifact artifact, const EngineOptions &options,
                                                  int numThreads) {
  TRY(checkTarget(artifact.rank().target()->string_view(), Processor::host()));
  std::unique_ptr<CpuEngine> engine(new CpuEngine(std::move(artifact), numThreads));
  engine->poison = options.poison;
  TRY(engine->loadCode());
  TRY(engine->allocate(options));
  TRY(engine->resolvePrograms());
  return engine;
}

Status CpuEngine::loadCode() {
  for (uint32_t i = 0; i < sizeOf(artifact.rank().code()); ++i) {
    uint32_t file = artifact.rank().code()->Get(i);
    TRY_ASSIGN(Code object,
               Code::load(artifact.file(file), artifact.plan().files()->Get(file)->path()->str()));
    code.push_back(std::move(object));
  }
  return {};
}

Status CpuEngine::allocate(const EngineOptions &options) {
  const Rank &rank = artifact.rank();
  MemoryNeed need = describeMemory(artifact.plan(), artifact.rank(), availableMemory());
  if (need.total() > need.available)
    return failure(
        fmt::format("too little memory: weights {}, arena {} and step table {} are needed, {} is available",
                    formatBytes(double(need.weights)), formatBytes(double(need.arena)),
                    formatBytes(double(need.stepTable)), formatBytes(double(need.available))));
  TRY_ASSIGN(int64_t blocks, chooseCacheBlocks(rank, options.cacheBytes, need));
  stepLimits.cacheBlocks = bufferCapacity.cacheBlocks = blocks;
  TRY_ASSIGN(arena, HostBuffer::allocate(need.arena, "arena"));
  for (uint32_t i = 0; i < sizeOf(rank.caches()); ++i) {
    const Cache &cache = *rank.caches()->Get(i);
    TRY_ASSIGN(HostBuffer buffer,
               HostBuffer::allocate(layerBlockBytes(cache) * cache.layers() * uint64_t(blocks),
                                    "cache " + cache.name()->str()));
    caches.push_back(std::move(buffer));
  }
  TRY_ASSIGN(table, StepTable::create(bufferCapacity, modelInfo.vocabulary));
  return {};
}

Expected<std::vector<KernelFunction>> CpuEngine::findKernels() const {
  std::vector<KernelFunction> functions;
  for (uint32_t i = 0; i < sizeOf(artifact.rank().kernels()); ++i) {
    const Kernel &kernel = *artifact.rank().kernels()->Get(i);
    KernelFunction function = nullptr;
    for (const Code &object : code)
      if (!function)
        function = object.find(kernel.name()->c_str());
    if (!function)
      return failure(
          fmt::format("kernel {} is not defined in the artifact's code", kernel.name()->string_view()));
    functions.push_back(function);
  }
  return functions;
}

Status CpuEngine::resolvePrograms() {
  TRY_ASSIGN(std::vector<KernelFunction> functions, findKernels());
  Addresses addresses{artifact, table, arena.data(), {}, {}, std::move(functions)};
  for (uint32_t i = 0; i < caches.size(); ++i) {
    addresses.caches.push_back(caches[i].data());
    addresses.cacheLayerBytes.push_back(layerBlockBytes(*artifact.rank().caches()->Get(i)) *
                                        uint64_t(stepLimits.cacheBlocks));
  }
  for (const Entry *entry : *artifact.rank().entries())
    (entry->kind() == EntryKind::decode ? decodePrograms : mixedPrograms).emplace_back(*entry, addresses);
  auto isSmaller = [](const Program &a, const Program &b) {
    return a.entry().capacity()->max_tokens() < b.entry().capacity()->max_tokens();
  };
  std::ranges::stable_sort(decodePrograms, isSmaller);
  std::ranges::stable_sort(mixedPrograms, isSmaller);
  return {};
}

Dims CpuEngine::currentDims() const {
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

Expected<const Program *> CpuEngine::chooseProgram(const Dims &dims) const {
  const StepInputs &in = table.inputs();
  if (in.numTokens == in.numSequences) // Sequences are not empty, so each has one token.
    for (const Program &program : decodePrograms)
      if (program.fits(dims))
        return &program;
  for (const Program &program : mixedPrograms)
    if (program.fits(dims))
      return &program;
  return failure(
      fmt::format("no entry holds a step of {} tokens, {} sequences, {} logit rows, {} bias and {} "
                  "penalty entries",
                  in.numTokens, in.numSequences, in.numLogitRows, in.numBiasEntries, in.numPenaltyEntries));
}

Status CpuEngine::step() {
  TRY(checkStep(table.inputs(), bufferCapacity, modelInfo));
  Dims dims = currentDims();
  TRY_ASSIGN(const Program *program, chooseProgram(dims));
  if (poison) {
    if (arena.size() > 0)
      std::memset(arena.data(), 0xff, arena.size());
    table.poisonOutputs();
  }
  program->run(pool, dims, profiling ? &profileTimes : nullptr);
  table.showRows(table.inputs().numLogitRows);
  return {};
}

void CpuEngine::setProfiling(bool on) {
  profileTimes.clear();
  profiling = on;
}

} // namespace runtime
} // namespace kimi
