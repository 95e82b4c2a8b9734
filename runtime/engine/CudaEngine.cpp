#include "runtime/engine/CudaEngine.h"

#include "runtime/base/Units.h"
#include "runtime/engine/Description.h"
#include "runtime/engine/PlanCheck.h"

#include <algorithm>
#include <fmt/format.h>

namespace kimi::runtime {

using namespace kimi::artifact;

static constexpr uint64_t kFileAlignment = 256;
static constexpr uint64_t kDimsBytes = sizeof(Dims); // they lie behind the inputs

// Copies this near one another are made as one: a copy costs about as long as the bus needs for so many bytes.
static constexpr uint64_t kWorthOneCopy = 32 << 10;

Expected<std::unique_ptr<Engine>> CudaEngine::load(Artifact artifact, const EngineOptions &options, int numThreads) {
  std::unique_ptr<CudaEngine> engine(new CudaEngine(std::move(artifact)));
  TRY(engine->loadAll(options, numThreads));
  return engine;
}

CudaEngine::~CudaEngine() {
  if (!device || !device->makeCurrent())
    return;
  const cuda::Driver &api = device->driver();
  (void)device->synchronize("unloading");
  programs.clear();
  for (void *memory : pinned)
    api.MemHostUnregister(memory);
  for (cuda::ModuleHandle module : modules)
    api.ModuleUnload(module);
}

Status CudaEngine::loadAll(const EngineOptions &options, int numThreads) {
  poison = options.poison;
  readLogits = options.readLogits;
  waitsForEach = !options.useGraphs;
  std::string_view target = artifact.rank().target()->string_view();
  TRY_ASSIGN(device, cuda::Device::open(target.substr(target.find(':') + 1)));
  TRY(loadCode());
  TRY(allocate(options));
  TRY(loadWeights(numThreads));
  TRY(pinStepTable());
  TRY(resolvePrograms(options.useGraphs));
  return device->synchronize("loading");
}

Status CudaEngine::loadCode() {
  const cuda::Driver &api = device->driver();
  for (uint32_t i = 0; i < sizeOf(artifact.rank().code()); ++i) {
    uint32_t file = artifact.rank().code()->Get(i);
    cuda::ModuleHandle module = nullptr;
    TRY(api.check(api.ModuleLoadData(&module, artifact.file(file).data()),
                  fmt::format("cannot load {}", artifact.plan().files()->Get(file)->path()->string_view())));
    modules.push_back(module);
  }
  for (uint32_t i = 0; i < sizeOf(artifact.rank().kernels()); ++i)
    TRY(loadKernel(*artifact.rank().kernels()->Get(i), modules));
  return {};
}

Status CudaEngine::loadKernel(const Kernel &kernel, const std::vector<cuda::ModuleHandle> &loaded) {
  const cuda::Driver &api = device->driver();
  std::string name = fmt::format("kernel {}", kernel.name()->string_view());
  if (kernel.shared_bytes() > device->mostSharedBytes())
    return failure(fmt::format("{} wants {} bytes of shared memory, but a block on {} has {}", name,
                               kernel.shared_bytes(), device->name(), device->mostSharedBytes()));
  CudaKernel result{.threads = kernel.threads(), .sharedBytes = kernel.shared_bytes()};
  TRY(api.check(api.ModuleGetFunction(&result.function, loaded[kernel.code()], kernel.name()->c_str()), name));
  TRY(api.check(api.FuncSetAttribute(result.function, cuda::kFunctionSharedBytes, int(kernel.shared_bytes())), name));
  kernels.push_back(result);
  return {};
}

Status CudaEngine::allocate(const EngineOptions &options) {
  const Rank &rank = artifact.rank();
  const cuda::Driver &api = device->driver();
  TRY_ASSIGN(uint64_t free, device->freeBytes());
  MemoryNeed need = describeMemory(artifact.plan(), rank, free);
  TRY(checkMemory(need));
  TRY(sizeStep(options, need));
  TRY_ASSIGN(arena, cuda::DeviceBuffer::allocate(api, need.arena, "the arena"));
  TRY_ASSIGN(inputs, cuda::DeviceBuffer::allocate(api, table.inputBytes().size() + kDimsBytes, "step inputs"));
  TRY_ASSIGN(outputs, cuda::DeviceBuffer::allocate(api, table.outputBytes().size(), "step outputs"));
  for (uint32_t i = 0; i < sizeOf(rank.caches()); ++i) {
    const Cache &cache = *rank.caches()->Get(i);
    cacheLayerBytes.push_back(layerBlockBytes(cache) * uint64_t(stepLimits.cacheBlocks));
    TRY_ASSIGN(cuda::DeviceBuffer buffer,
               cuda::DeviceBuffer::allocate(api, cacheLayerBytes.back() * cache.layers(),
                                            fmt::format("cache {}", cache.name()->string_view())));
    TRY(api.check(api.MemsetD8Async(buffer.address(), 0, buffer.size(), device->stream()), "cuMemsetD8Async"));
    caches.push_back(std::move(buffer));
  }
  return {};
}

/// All weight files, one after another, in one piece of device memory.
Status CudaEngine::loadWeights(int numThreads) {
  uint64_t total = 0;
  for (uint32_t i = 0; i < sizeOf(artifact.plan().files()); ++i) {
    fileOffsets.push_back(total);
    if (artifact.isWeightFile(i))
      total += (artifact.file(i).size() + kFileAlignment - 1) / kFileAlignment * kFileAlignment;
  }
  TRY_ASSIGN(weights, cuda::DeviceBuffer::allocate(device->driver(), total, "weights"));
  TRY_ASSIGN(cuda::Uploader uploader, cuda::Uploader::create(*device));
  for (uint32_t i = 0; i < sizeOf(artifact.plan().files()); ++i)
    if (artifact.isWeightFile(i))
      TRY(uploader.upload(weights.address() + fileOffsets[i], artifact.file(i), numThreads));
  return uploader.finish();
}

/// Copies run beside the host only from and to pinned memory.
Status CudaEngine::pinStepTable() {
  const cuda::Driver &api = device->driver();
  sentDims = std::make_unique<Dims>();
  for (std::span<std::byte> memory : {table.inputBytes(), table.outputBytes()}) {
    if (memory.empty())
      continue;
    TRY(api.check(api.MemHostRegister(memory.data(), memory.size(), 0), "cannot pin the step table"));
    pinned.push_back(memory.data());
  }
  return {};
}

cuda::DevicePtr CudaEngine::resolve(const Argument &argument, uint32_t layer) const {
  auto value = uint64_t(argument.value());
  switch (argument.kind()) {
  case ArgumentKind::arena:
    return arena.address() + value;
  case ArgumentKind::weight: {
    const Weight &weight = *artifact.rank().weights()->Get(uint32_t(value));
    const WeightSlice &slice = *weight.slices()->Get(layer - weight.first_layer());
    return weights.address() + fileOffsets[slice.file()] + slice.offset();
  }
  case ArgumentKind::input:
    return inputs.address() + uint64_t(static_cast<std::byte *>(table.address(StepInput(value))) - table.inputBytes().data());
  case ArgumentKind::output:
    return outputs.address() +
           uint64_t(static_cast<std::byte *>(table.address(StepOutput(value))) - table.outputBytes().data());
  case ArgumentKind::cache:
    return caches[value].address() + layer * cacheLayerBytes[value];
  }
  return 0; // checkPlan refuses other kinds
}

Status CudaEngine::resolvePrograms(bool useGraphs) {
  const Rank &rank = artifact.rank();
  cuda::DevicePtr dims = inputs.address() + table.inputBytes().size();
  for (const Entry *entry : *rank.entries()) {
    programs.emplace_back(*device, rank, *entry, kernels, dims,
                          [&](const Argument &argument, uint32_t layer) { return resolve(argument, layer); });
    if (useGraphs && entry->kind() == EntryKind::decode)
      TRY(programs.back().buildGraph(stepLimits.cacheBlocks));
  }
  return {};
}

namespace {

/// Ranges of the step table, merged where they lie close together.
class Ranges {
public:
  void add(uint64_t begin, uint64_t bytes) {
    if (bytes == 0)
      return;
    if (count > 0 && begin <= ranges[count - 1].end + kWorthOneCopy) {
      ranges[count - 1].end = std::max(ranges[count - 1].end, begin + bytes);
      return;
    }
    ranges[count++] = {begin, begin + bytes};
  }
  template <typename Copy> Status copyAll(Copy &&copy) const {
    for (size_t i = 0; i < count; ++i)
      TRY(copy(ranges[i].begin, ranges[i].end - ranges[i].begin));
    return {};
  }

private:
  struct Range {
    uint64_t begin, end;
  };
  std::array<Range, kNumStepInputs> ranges;
  size_t count = 0;
};

} // namespace

/// What of the table this step uses: its sizes, and the mask only where a row wants it.
static int64_t usedElements(StepInput input, const StepInputs &in, const Limits &used, uint32_t vocabulary) {
  if (input == StepInput::token_mask &&
      !std::ranges::any_of(in.maskRows.first(size_t(in.numLogitRows)), [](int32_t wants) { return wants != 0; }))
    return 0;
  return numElements(input, used, vocabulary);
}

Status CudaEngine::sendInputs(const Dims &dims) {
  const cuda::Driver &api = device->driver();
  const StepInputs &in = table.inputs();
  std::byte *host = table.inputBytes().data();
  Limits used{.maxTokens = in.numTokens, .maxSequences = in.numSequences, .maxLogitRows = in.numLogitRows,
              .maxTableBlocks = bufferCapacity.maxTableBlocks, .maxBiasEntries = in.numBiasEntries,
              .maxPenaltyEntries = in.numPenaltyEntries};
  Ranges ranges;
  for (size_t i = 0; i < kNumStepInputs; ++i) {
    auto offset = uint64_t(static_cast<std::byte *>(table.address(StepInput(i))) - host);
    ranges.add(offset, 4 * uint64_t(usedElements(StepInput(i), in, used, modelInfo.vocabulary)));
  }
  TRY(ranges.copyAll([&](uint64_t offset, uint64_t bytes) {
    return api.check(api.MemcpyHtoDAsync(inputs.address() + offset, host + offset, bytes, device->stream()),
                     "sending the step inputs");
  }));
  *sentDims = dims;
  return api.check(api.MemcpyHtoDAsync(inputs.address() + table.inputBytes().size(), sentDims->data(), kDimsBytes,
                                       device->stream()),
                   "sending the step's sizes");
}

Status CudaEngine::receiveOutputs() {
  const cuda::Driver &api = device->driver();
  std::byte *host = table.outputBytes().data();
  Limits used{.maxLogitRows = table.inputs().numLogitRows};
  Ranges ranges;
  for (size_t i = 0; i < kNumStepOutputs; ++i) {
    if (StepOutput(i) == StepOutput::logits && !readLogits)
      continue;
    auto offset = uint64_t(static_cast<std::byte *>(table.address(StepOutput(i))) - host);
    ranges.add(offset, 4 * uint64_t(numElements(StepOutput(i), used, modelInfo.vocabulary)));
  }
  return ranges.copyAll([&](uint64_t offset, uint64_t bytes) {
    return api.check(api.MemcpyDtoHAsync(host + offset, outputs.address() + offset, bytes, device->stream()),
                     "receiving the step outputs");
  });
}

Status CudaEngine::poisonBuffers() {
  const cuda::Driver &api = device->driver();
  for (const cuda::DeviceBuffer *buffer : {&arena, &outputs})
    if (buffer->size() > 0)
      TRY(api.check(api.MemsetD8Async(buffer->address(), 0xff, buffer->size(), device->stream()), "cuMemsetD8Async"));
  table.poisonOutputs();
  return {};
}

/// Reading: a copy inside the device moves each byte twice. f32: lanes times clock, which no measurement passes.
Expected<MachineCeilings> CudaEngine::measureCeilings() {
  TRY(device->makeCurrent());
  TRY_ASSIGN(double copy, device->measureCopy());
  return MachineCeilings{.processor = device->name(), .readBytesPerSecond = copy, .flopsPerSecond = device->peakFlops()};
}

Status CudaEngine::run(uint32_t entry, const Dims &dims) {
  TRY(device->makeCurrent());
  if (poison)
    TRY(poisonBuffers());
  TRY(sendInputs(dims));
  const CudaProgram &program = programs[entry];
  TRY(profiling ? program.runTimed(dims, profileTimes) : waitsForEach ? program.runOneByOne(dims) : program.start(dims));
  TRY(receiveOutputs());
  return device->synchronize(fmt::format("entry {} (run it without graphs to see which kernel)",
                                         artifact.rank().entries()->Get(entry)->name()->string_view()));
}

} // namespace kimi::runtime
