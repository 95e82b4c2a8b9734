#include "runtime/engine/CpuEngine.h"

#include "runtime/base/Machine.h"
#include "runtime/base/Units.h"
#include "runtime/cpu/Ceilings.h"
#include "runtime/cpu/Target.h"
#include "runtime/engine/Description.h"
#include "runtime/engine/PlanCheck.h"

#include <cstring>
#include <fmt/format.h>

namespace kimi::runtime {

using namespace kimi::artifact;

CpuEngine::CpuEngine(Artifact opened, int numThreads) : PlanEngine(std::move(opened)), pool(numThreads) {}

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
  TRY(checkMemory(need));
  TRY(sizeStep(options, need));
  TRY_ASSIGN(arena, HostBuffer::allocate(need.arena, "arena"));
  for (uint32_t i = 0; i < sizeOf(rank.caches()); ++i) {
    const Cache &cache = *rank.caches()->Get(i);
    TRY_ASSIGN(HostBuffer buffer,
               HostBuffer::allocate(layerBlockBytes(cache) * cache.layers() * uint64_t(stepLimits.cacheBlocks),
                                    "cache " + cache.name()->str()));
    caches.push_back(std::move(buffer));
  }
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
    programs.emplace_back(*entry, addresses);
  return {};
}

Expected<MachineCeilings> CpuEngine::measureCeilings() {
  TRY_ASSIGN(double bandwidth, measureReadBandwidth(pool));
  return MachineCeilings{.processor = fmt::format("{} threads", pool.numThreads()),
                         .readBytesPerSecond = bandwidth,
                         .flopsPerSecond = measureFmaPeak(pool)};
}

Status CpuEngine::run(uint32_t entry, const Dims &dims) {
  if (poison) {
    if (arena.size() > 0)
      std::memset(arena.data(), 0xff, arena.size());
    table.poisonOutputs();
  }
  programs[entry].run(pool, dims, profiling ? &profileTimes : nullptr);
  return {};
}

} // namespace kimi::runtime
