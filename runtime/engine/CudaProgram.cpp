#include "runtime/engine/CudaProgram.h"

#include "runtime/engine/PlanWalk.h"

#include <fmt/format.h>

namespace kimi::runtime {

using namespace kimi::artifact;

CudaProgram::CudaProgram(const cuda::Device &device, const Rank &rank, const Entry &entry,
                         const std::vector<CudaKernel> &kernels, cuda::DevicePtr dims, const Resolve &resolve)
    : device(&device), rank(&rank), entry(&entry), kernels(&kernels) {
  forEachLaunch(rank, entry, [&](const Launch &launch, uint32_t layer) {
    LaunchRecord record{.kernel = launch.kernel(), .firstParameter = uint32_t(values.size()), .grid = {}};
    for (uint32_t i = 0; i < sizeOf(launch.grid()); ++i)
      record.grid.push_back(*launch.grid()->Get(i));
    values.push_back(dims);
    for (uint32_t i = 0; i < sizeOf(launch.arguments()); ++i)
      values.push_back(resolve(*launch.arguments()->Get(i), layer));
    launches.push_back(std::move(record));
  });
  for (cuda::DevicePtr &value : values)
    parameters.push_back(&value);
}

CudaProgram::CudaProgram(CudaProgram &&other) noexcept
    : device(other.device), rank(other.rank), entry(other.entry), kernels(other.kernels),
      launches(std::move(other.launches)), values(std::move(other.values)), parameters(std::move(other.parameters)),
      graph(std::exchange(other.graph, nullptr)), executable(std::exchange(other.executable, nullptr)) {}

CudaProgram::~CudaProgram() {
  if (executable)
    device->driver().GraphExecDestroy(executable);
  if (graph)
    device->driver().GraphDestroy(graph);
}

/// How messages call a launch.
std::string CudaProgram::describe(size_t number) const {
  return fmt::format("entry {}, launch {} of {}, kernel {}", entry->name()->string_view(), number, launches.size(),
                     rank->kernels()->Get(launches[number].kernel)->name()->string_view());
}

Status CudaProgram::buildGraph(int64_t cacheBlocks) {
  const cuda::Driver &api = device->driver();
  Dims dims = dimsAtCapacity(*entry->capacity(), cacheBlocks, 0);
  TRY(api.check(api.GraphCreate(&graph, 0), "cuGraphCreate"));
  cuda::GraphNode last = nullptr;
  for (size_t i = 0; i < launches.size(); ++i) {
    const LaunchRecord &record = launches[i];
    const CudaKernel &kernel = (*kernels)[record.kernel];
    auto blocks = unsigned(countTasks(record.grid, dims));
    if (blocks == 0)
      continue;
    cuda::KernelNode node{kernel.function, blocks, 1, 1, kernel.threads, 1, 1, kernel.sharedBytes,
                          const_cast<void **>(parameters.data()) + record.firstParameter, nullptr, nullptr, nullptr};
    cuda::GraphNode added = nullptr;
    TRY(api.check(api.GraphAddKernelNode(&added, graph, &last, last ? 1 : 0, &node), describe(i)));
    last = added;
  }
  TRY(api.check(api.GraphInstantiate(&executable, graph, 0),
                fmt::format("the graph of entry {}", entry->name()->string_view())));
  return api.check(api.GraphUpload(executable, device->stream()), "cuGraphUpload");
}

Status CudaProgram::launch(const LaunchRecord &record, unsigned blocks) const {
  const CudaKernel &kernel = (*kernels)[record.kernel];
  const cuda::Driver &api = device->driver();
  auto **arguments = const_cast<void **>(parameters.data()) + record.firstParameter;
  return api.check(api.LaunchKernel(kernel.function, blocks, 1, 1, kernel.threads, 1, 1, kernel.sharedBytes,
                                    device->stream(), arguments, nullptr),
                   "cannot be launched");
}

Status CudaProgram::start(const Dims &dims) const {
  const cuda::Driver &api = device->driver();
  if (executable)
    return api.check(api.GraphLaunch(executable, device->stream()),
                     fmt::format("the graph of entry {}", entry->name()->string_view()));
  for (size_t i = 0; i < launches.size(); ++i)
    if (int64_t tasks = countTasks(launches[i].grid, dims))
      if (Status status = launch(launches[i], unsigned(tasks)); !status)
        return failure(describe(i), status.error());
  return {};
}

Status CudaProgram::runOneByOne(const Dims &dims) const {
  for (size_t i = 0; i < launches.size(); ++i)
    if (int64_t tasks = countTasks(launches[i].grid, dims)) {
      Status status = launch(launches[i], unsigned(tasks));
      if (status)
        status = device->synchronize("failed while it ran");
      if (!status)
        return failure(describe(i), status.error());
    }
  return {};
}

Status CudaProgram::runTimed(const Dims &dims, Profile &profile) const {
  const cuda::Driver &api = device->driver();
  std::vector<cuda::EventHandle> marks(launches.size() + 1);
  for (cuda::EventHandle &mark : marks)
    TRY(api.check(api.EventCreate(&mark, 0), "cuEventCreate"));
  TRY(api.check(api.EventRecord(marks[0], device->stream()), "cuEventRecord"));
  for (size_t i = 0; i < launches.size(); ++i) {
    if (int64_t tasks = countTasks(launches[i].grid, dims))
      TRY(launch(launches[i], unsigned(tasks)));
    TRY(api.check(api.EventRecord(marks[i + 1], device->stream()), "cuEventRecord"));
  }
  TRY(device->synchronize("a timed step"));
  for (size_t i = 0; i < launches.size(); ++i) {
    float milliseconds = 0;
    TRY(api.check(api.EventElapsedTime(&milliseconds, marks[i], marks[i + 1]), "cuEventElapsedTime"));
    if (countTasks(launches[i].grid, dims) > 0)
      profile.record(launches[i].kernel, milliseconds / 1e3, dims);
  }
  for (cuda::EventHandle mark : marks)
    api.EventDestroy(mark);
  return {};
}

} // namespace kimi::runtime
