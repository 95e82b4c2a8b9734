#include "runtime/engine/CudaEngine.h"

#include "runtime/base/Clock.h"
#include "runtime/cuda/Target.h"
#include "runtime/cuda/WeightStreamer.h"
#include "runtime/engine/Description.h"
#include "runtime/engine/PlanCheck.h"
#include "runtime/engine/PlanWalk.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace kimi::runtime {

using namespace kimi::artifact;

// Of a file in device memory: what cuMemAlloc promises, and more than any load or tensor map needs.
static constexpr uint64_t kFileAlignment = 256;

// What a launch does wrong may show long after it.
static constexpr const char *kFindKernel = ": run with --no-graph to see which kernel it is";

CudaEngine::CudaEngine(Artifact opened, const EngineOptions &options, cuda::Device device)
    : PlanEngine(std::move(opened), options), options(options), device(std::move(device)) {
  modelInfo.device = this->device.description();
}

CudaEngine::~CudaEngine() {
  // Whichever thread destroys: what follows is given back to this device, once nothing runs on it.
  if (device.makeCurrent() && stream.get())
    static_cast<void>(device.driver().cuStreamSynchronize.raw(stream.get()));
}

Expected<std::unique_ptr<Engine>> CudaEngine::load(Artifact artifact, const EngineOptions &options,
                                                   int numThreads) {
  TRY_ASSIGN(cuda::Device device, cuda::Device::open());
  TRY(cuda::checkTarget(artifact.rank().target()->string_view(), device.properties()));
  std::unique_ptr<CudaEngine> engine(new CudaEngine(std::move(artifact), options, std::move(device)));
  TRY(engine->checkAlignment());
  TRY(engine->loadCode());
  TRY(engine->findKernels());
  TRY(engine->openLibrary());
  TRY(engine->planDeviceMemory());
  TRY(engine->allocate());
  TRY(engine->streamWeights(numThreads));
  TRY(engine->preparePrograms());
  engine->options.progress = {}; // the caller's: not to be kept longer than the load
  return engine;
}

/// Vector loads and tensor maps need slices to lie as packing lays them.
Status CudaEngine::checkAlignment() const {
  for (uint32_t i = 0; i < sizeOf(rank().weights()); ++i)
    for (uint32_t j = 0; j < sizeOf(rank().weights()->Get(i)->slices()); ++j)
      if (uint64_t offset = rank().weights()->Get(i)->slices()->Get(j)->offset(); offset % 64 != 0)
        return failure(
            fmt::format("weight {}: lies at offset {} of the checkpoint's own file, but CUDA kernels need a "
                        "multiple of 64: compile it with --weights=packed",
                        rank().weights()->Get(i)->name()->string_view(), offset));
  return {};
}

Status CudaEngine::loadCode() {
  // Before anything is allocated, from the plan alone.
  TRY_ASSIGN(uint64_t available, device.availableMemory());
  TRY(checkMemory(artifact.plan(), rank(), describeMemory(artifact.plan(), rank(), available)));
  TRY(artifact.checkShapeMemory()); // of the host
  for (uint32_t i = 0; i < sizeOf(rank().code()); ++i) {
    uint32_t file = rank().code()->Get(i);
    TRY_ASSIGN(cuda::Module module, cuda::Module::load(device, artifact.file(file),
                                                       artifact.plan().files()->Get(file)->path()->str()));
    modules.push_back(std::move(module));
  }
  return {};
}

/// Where a launch is a call of it. Before memory is planned: it takes some.
Status CudaEngine::openLibrary() {
  std::string user;
  for (const Entry *entry : *rank().entries())
    forEachLaunch(rank(), *entry, [&](const Launch &launch, uint32_t) {
      const Kernel &kernel = *rank().kernels()->Get(launch.kernel());
      if (kernel.product() && user.empty())
        user = fmt::format("entry {}: kernel {} is a call of {}", entry->name()->string_view(),
                           kernel.name()->string_view(), kernel.implementation()->string_view());
    });
  if (user.empty())
    return {};
  auto opened = cuda::CublasLt::open();
  if (!opened)
    return failure(user, opened.error());
  library = *opened;
  auto created = cuda::createContext(*library);
  if (!created)
    return failure(user + ": " + library->name(), created.error());
  context = std::move(*created);
  return {};
}

Status CudaEngine::findKernels() {
  for (uint32_t i = 0; i < sizeOf(rank().kernels()); ++i) {
    const Kernel &planned = *rank().kernels()->Get(i);
    if (planned.product()) {
      kernels.push_back({}); // never launched
      continue;
    }
    cuda::KernelHandle kernel{.function = nullptr,
                              .threads = planned.threads(),
                              .sharedBytes = planned.shared_bytes(),
                              .cluster = planned.cluster(),
                              .programmatic = planned.programmatic()};
    TRY_ASSIGN(cuda::KernelResources resources,
               modules[planned.code()].find(device, planned.name()->c_str(), kernel));
    localBytesPerThread = std::max<uint64_t>(localBytesPerThread, resources.localBytes);
    kernels.push_back(kernel);
  }
  return {};
}

/// Again, now that the code is there and tells what its kernels spill: room for every thread that can be
/// resident.
Status CudaEngine::planDeviceMemory() {
  TRY_ASSIGN(uint64_t available, device.availableMemory());
  MemoryNeed need = describeMemory(artifact.plan(), rank(), available);
  need.code =
      localBytesPerThread * device.properties().numProcessors * device.properties().threadsPerProcessor;
  return planMemory(need, options.cacheBytes);
}

Status CudaEngine::allocate() {
  uint64_t weightBytes = 0;
  for (uint32_t i = 0; i < sizeOf(artifact.plan().files()); ++i) {
    fileOffsets.push_back(weightBytes);
    if (artifact.isWeightFile(i))
      weightBytes += (artifact.plan().files()->Get(i)->bytes() + kFileAlignment - 1) / kFileAlignment * kFileAlignment;
  }
  StepLayout layout(bufferCapacity, modelInfo.vocabulary);
  TRY_ASSIGN(weights, cuda::DeviceBuffer::allocate(device, weightBytes, "weights"));
  TRY_ASSIGN(arena, cuda::DeviceBuffer::allocate(device, arenaBytes(rank()), "arena"));
  TRY_ASSIGN(deviceInputs, cuda::DeviceBuffer::allocate(device, layout.inputBytes(), "step inputs"));
  uint64_t smallOutputs = layout.outputBytesWithoutLogits();
  TRY_ASSIGN(deviceLogits, cuda::DeviceBuffer::allocate(device, layout.outputBytes() - smallOutputs, "logits"));
  TRY_ASSIGN(stream, device.createStream());
  // Steps copy the columns of block tables that they use: what lies behind must be block numbers too.
  TRY(device.driver().cuMemsetD8Async(deviceInputs.address(), 0, deviceInputs.size(), stream.get()));
  for (uint32_t i = 0; i < sizeOf(rank().caches()); ++i) {
    TRY_ASSIGN(cuda::DeviceBuffer cache,
               cuda::DeviceBuffer::allocate(device, cacheBytes(i),
                                            "cache " + rank().caches()->Get(i)->name()->str()));
    // A kernel may load what no token has written yet, and multiply it by 0.
    TRY(device.driver().cuMemsetD8Async(cache.address(), 0, cache.size(), stream.get()));
    caches.push_back(std::move(cache));
  }
  uint64_t outputBytes = options.readLogits ? layout.outputBytes() : smallOutputs;
  TRY_ASSIGN(hostInputs, cuda::PinnedBuffer::allocate(device, layout.inputBytes(), "step inputs"));
  TRY_ASSIGN(hostOutputs, cuda::PinnedBuffer::allocate(device, outputBytes, "step outputs"));
  TRY_ASSIGN(outputsAddress, hostOutputs.addressOnDevice(device));
  table = StepTable(bufferCapacity, modelInfo.vocabulary, hostInputs.data(), hostOutputs.data(),
                    options.readLogits);
  dimsAddress = deviceInputs.address() + StepLayout::kDimsOffset;
  return {};
}

Status CudaEngine::streamWeights(int numThreads) {
  TRY(artifact.makeShapes(numThreads));
  std::vector<cuda::FileToStream> files;
  for (uint32_t i = 0; i < sizeOf(artifact.plan().files()); ++i) {
    if (!artifact.isWeightFile(i))
      continue;
    const File &file = *artifact.plan().files()->Get(i);
    files.push_back({.path = artifact.path(i),
                     .bytes = file.bytes(),
                     .hash = options.verifyWeights ? artifact.hash(i) : std::string(),
                     .destination = weights.address() + fileOffsets[i]});
    report.weightBytes += file.bytes();
  }
  auto start = Clock::now();
  TRY(cuda::streamFiles(device, files, numThreads, options.progress));
  report.weightSeconds = secondsSince(start);
  return {};
}

Addresses CudaEngine::addresses() const {
  Addresses addresses{.inputs = deviceInputs.pointer(),
                      .outputs = reinterpret_cast<std::byte *>(outputsAddress),
                      .logits = deviceLogits.pointer(),
                      .layout = table.layout(),
                      .arena = arena.pointer(),
                      .files = {},
                      .caches = {},
                      .cacheLayerBytes = {}};
  for (uint64_t offset : fileOffsets)
    addresses.files.push_back(weights.pointer() + offset);
  for (const cuda::DeviceBuffer &cache : caches)
    addresses.caches.push_back(cache.pointer());
  return addresses;
}

Dims CudaEngine::capacityOf(const Entry &entry) const {
  return dimsAtCapacity(*entry.capacity(), bufferCapacity.cacheBlocks, 0);
}

Status CudaEngine::preparePrograms() {
  TRY_ASSIGN(profiler, CudaProfiler::create(device));
  resolvePrograms(addresses());
  for (const Program &program : programs) {
    TRY_ASSIGN(CudaProgram prepared, CudaProgram::create(device, rank(), program, {kernels, library, &context},
                                                         capacityOf(program.entry()), dimsAddress));
    if (options.useGraphs && program.entry().kind() == EntryKind::decode)
      TRY(prepared.buildGraph(device, stream.get()));
    cudaPrograms.push_back(std::move(prepared));
  }
  hasRun.assign(cudaPrograms.size(), false);
  return device.driver().cuStreamSynchronize(stream.get());
}

Status CudaEngine::run(size_t index) {
  if (fault)
    return std::unexpected(*fault);
  Status status = runStep(index);
  if (!status)
    fault = status.error();
  hasRun[index] = true;
  return status;
}

/// Adds what `call` takes to `seconds`.
template <typename Call> static Status timed(double &seconds, Call call) {
  auto start = Clock::now();
  Status status = call();
  seconds += secondsSince(start);
  return status;
}

/// Everything is queued on one stream; the host waits once, at the end.
Status CudaEngine::runStep(size_t index) {
  TRY(device.makeCurrent());
  TRY(timed(stepTimes.upload, [&] { return upload(); }));
  if (poison)
    TRY(poisonMemory());
  TRY(timed(stepTimes.start, [&] { return start(index); }));
  stepTimes.start -= stepTimes.wait; // of launches that are waited for one by one
  // A fault of any launch shows in the first call that notices.
  Status status = timed(stepTimes.download, [&] { return download(); });
  if (status)
    status = wait();
  if (!status)
    return failure(fmt::format("entry {}, one of its {} launches", cudaPrograms[index].entryName(),
                               cudaPrograms[index].numLaunches()),
                   Error{status.error().message + kFindKernel});
  return {};
}

Status CudaEngine::wait() {
  return timed(stepTimes.wait, [&] { return device.driver().cuStreamSynchronize(stream.get()); });
}

Status CudaEngine::upload() {
  for (const ByteRange &range : table.layout().usedInputs(table.inputs(), tableColumns).ranges()) {
    TRY(device.driver().cuMemcpyHtoDAsync(deviceInputs.address() + range.offset,
                                          hostInputs.data() + range.offset, range.bytes, stream.get()));
    noteCopy(range.bytes);
  }
  return tableColumns < bufferCapacity.maxTableBlocks ? uploadTables() : Status();
}

/// The first columns of the step's rows. What the device's table has behind them was checked in the step it
/// came with, or is 0: a kernel that looks there finds a block of the cache.
Status CudaEngine::uploadTables() {
  uint64_t offset = table.layout().offset(StepInput::block_tables);
  uint64_t pitch = uint64_t(bufferCapacity.maxTableBlocks) * sizeof(int32_t);
  cuda::CUDA_MEMCPY2D copy{};
  copy.srcMemoryType = cuda::CU_MEMORYTYPE_HOST;
  copy.srcHost = hostInputs.data() + offset;
  copy.dstMemoryType = cuda::CU_MEMORYTYPE_DEVICE;
  copy.dstDevice = deviceInputs.address() + offset;
  copy.srcPitch = copy.dstPitch = pitch;
  copy.WidthInBytes = uint64_t(tableColumns) * sizeof(int32_t);
  copy.Height = uint64_t(table.inputs().numSequences);
  noteCopy(copy.WidthInBytes * copy.Height);
  return device.driver().cuMemcpy2DAsync(&copy, stream.get());
}

void CudaEngine::noteCopy(uint64_t bytes) {
  ++stepTimes.copies;
  stepTimes.copiedBytes += bytes;
}

/// Before anything of the step runs, so that the host's part may happen at once.
Status CudaEngine::poisonMemory() {
  std::memset(hostOutputs.data(), 0xff, hostOutputs.size());
  for (const cuda::DeviceBuffer *buffer : {&arena, &deviceLogits})
    if (buffer->size() > 0)
      TRY(device.driver().cuMemsetD8Async(buffer->address(), 0xff, buffer->size(), stream.get()));
  return {};
}

Status CudaEngine::start(size_t index) {
  CudaProgram &program = cudaPrograms[index];
  if (profiling) {
    bool isLoaded = hasRun[index] && program.hasStartedLibraries(table.dims());
    if (auto status = profiler.run(device, stream.get(), program, isLoaded, table.dims(), profileTimes); !status)
      return failure(fmt::format("entry {}, profiled", program.entryName()),
                     Error{status.error().message + kFindKernel});
    return {};
  }
  if (program.hasGraph()) {
    if (auto status = program.start(device, stream.get()); !status)
      return failure(fmt::format("entry {}: its graph", program.entryName()),
                     Error{status.error().message + kFindKernel});
    return {};
  }
  return startLaunches(program);
}

Status CudaEngine::startLaunches(CudaProgram &program) {
  bool followsKernel = false; // the first follows a copy
  for (size_t number = 0; number < program.numLaunches(); ++number) {
    if (program.isEmpty(number, table.dims()))
      continue;
    Status status = program.startLaunch(device, stream.get(), number, table.dims(),
                                        /*overlaps=*/options.useGraphs && followsKernel);
    if (status && !options.useGraphs)
      status = wait();
    if (!status && !options.useGraphs)
      return failure(program.describe(number), status.error());
    if (!status)
      return failure(program.describe(number) + " or one before",
                     Error{status.error().message + kFindKernel});
    followsKernel = !program.isLibraryCall(number);
  }
  return {};
}

/// The logits, where they are wanted. All other outputs are few: kernels write them where the host reads them.
Status CudaEngine::download() {
  uint64_t bytes = uint64_t(table.inputs().numLogitRows) * modelInfo.vocabulary * sizeof(float);
  if (!options.readLogits || bytes == 0)
    return {};
  return device.driver().cuMemcpyDtoHAsync(hostOutputs.data() + table.layout().outputBytesWithoutLogits(),
                                           deviceLogits.address(), bytes, stream.get());
}

} // namespace kimi::runtime
