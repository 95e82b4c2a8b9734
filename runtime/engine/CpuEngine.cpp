#include "runtime/engine/CpuEngine.h"

#include "runtime/base/Clock.h"
#include "runtime/base/Machine.h"
#include "runtime/cpu/Target.h"
#include "runtime/engine/Description.h"
#include "runtime/engine/PlanCheck.h"

#include <cstring>
#include <fmt/format.h>

namespace kimi::runtime {

using namespace kimi::artifact;

CpuEngine::CpuEngine(Artifact opened, const EngineOptions &options, int numThreads)
    : PlanEngine(std::move(opened), options), pool(numThreads) {}

Expected<std::unique_ptr<Engine>> CpuEngine::load(Artifact artifact, const EngineOptions &options,
                                                  int numThreads) {
  TRY(checkTarget(artifact.rank().target()->string_view(), Processor::host()));
  std::unique_ptr<CpuEngine> engine(new CpuEngine(std::move(artifact), options, numThreads));
  TRY(engine->readWeights(options));
  TRY(engine->loadCode());
  TRY(engine->findKernels());
  TRY(engine->allocate(options));
  engine->resolvePrograms(engine->addresses());
  return engine;
}

Status CpuEngine::readWeights(const EngineOptions &options) {
  auto start = Clock::now();
  artifact.readWeightsAhead(); // serves the hashing threads now, or else the first step
  if (!options.verifyWeights)
    return {};
  TRY(artifact.verifyWeights(pool.numThreads(), options.progress));
  for (uint32_t i = 0; i < sizeOf(artifact.plan().files()); ++i)
    if (const File &file = *artifact.plan().files()->Get(i); artifact.isWeightFile(i) && !file.is_shape())
      report.weightBytes += file.bytes();
  report.weightSeconds = secondsSince(start);
  return {};
}

Status CpuEngine::loadCode() {
  for (uint32_t i = 0; i < sizeOf(rank().code()); ++i) {
    uint32_t file = rank().code()->Get(i);
    TRY_ASSIGN(Code object,
               Code::load(artifact.file(file), artifact.plan().files()->Get(file)->path()->str()));
    code.push_back(std::move(object));
  }
  return {};
}

Status CpuEngine::findKernels() {
  for (uint32_t i = 0; i < sizeOf(rank().kernels()); ++i) {
    const Kernel &kernel = *rank().kernels()->Get(i);
    KernelFunction function = code[kernel.code()].find(kernel.name()->c_str());
    if (!function)
      return failure(
          fmt::format("kernel {} is not defined in the artifact's code", kernel.name()->string_view()));
    functions.push_back(function);
  }
  return {};
}

Status CpuEngine::allocate(const EngineOptions &options) {
  MemoryNeed need = describeMemory(artifact.plan(), rank(), availableMemory());
  TRY(planMemory(need, options.cacheBytes));
  TRY(artifact.makeShapes(pool.numThreads()));
  TRY_ASSIGN(arena, HostBuffer::allocate(need.arena, "arena"));
  for (uint32_t i = 0; i < sizeOf(rank().caches()); ++i) {
    TRY_ASSIGN(HostBuffer buffer,
               HostBuffer::allocate(cacheBytes(i), "cache " + rank().caches()->Get(i)->name()->str()));
    caches.push_back(std::move(buffer));
  }
  TRY_ASSIGN(table, StepTable::create(bufferCapacity, modelInfo.vocabulary));
  return {};
}

Addresses CpuEngine::addresses() const {
  Addresses addresses{.inputs = table.inputMemory(),
                      .outputs = table.outputMemory(),
                      .logits = table.outputMemory() + table.layout().offset(StepOutput::logits),
                      .layout = table.layout(),
                      .arena = arena.data(),
                      .files = {},
                      .caches = {},
                      .cacheLayerBytes = {}};
  // The ABI has one pointer type; weights are mapped read-only, so a kernel that writes one faults.
  for (uint32_t i = 0; i < sizeOf(artifact.plan().files()); ++i)
    addresses.files.push_back(const_cast<std::byte *>(artifact.file(i).data()));
  for (const HostBuffer &cache : caches)
    addresses.caches.push_back(cache.data());
  return addresses;
}

Status CpuEngine::run(size_t index) {
  if (poison) {
    if (arena.size() > 0)
      std::memset(arena.data(), 0xff, arena.size());
    std::memset(table.outputMemory(), 0xff, table.layout().outputBytes());
  }
  const Program &program = programs[index];
  const Dims &dims = table.dims();
  Clock::time_point start;
  for (const LaunchRecord &launch : program.launches()) {
    int64_t tasks = program.numTasks(launch, dims);
    if (tasks == 0)
      continue;
    if (profiling)
      start = Clock::now();
    KernelFunction function = functions[launch.kernel];
    void *const *buffers = program.arguments(launch);
    pool.parallelFor(tasks, [&](int64_t task) { function(buffers, dims.data(), task); });
    if (profiling)
      profileTimes.record(launch.kernel, secondsSince(start), dims);
  }
  return {};
}

} // namespace kimi::runtime
