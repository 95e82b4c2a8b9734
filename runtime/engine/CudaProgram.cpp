#include "runtime/engine/CudaProgram.h"

#include "runtime/cuda/TensorMap.h"
#include "runtime/engine/PlanWalk.h"

#include <fmt/format.h>

namespace kimi::runtime {

using namespace kimi::artifact;

/// Whole clusters: blocks past the end do nothing.
static int64_t numBlocks(int64_t tasks, const cuda::KernelHandle &kernel) {
  return (tasks + kernel.cluster - 1) / kernel.cluster * kernel.cluster;
}

Expected<CudaProgram> CudaProgram::create(const cuda::Device &device, const Rank &rank,
                                          const Program &program, const CudaKernels &kernels,
                                          const Dims &capacity, const cuda::CUdeviceptr &dims) {
  CudaProgram created(rank, program);
  size_t numMaps = 0;
  for (const LaunchRecord &record : program.launches())
    numMaps += sizeOf(rank.kernels()->Get(record.kernel)->tensor_maps());
  created.tensorMaps.reserve(numMaps);
  for (size_t number = 0; number < program.launches().size(); ++number)
    if (auto status = created.addLaunch(device, number, kernels, capacity, dims); !status)
      return failure(created.describe(number), status.error());
  return created;
}

Status CudaProgram::addLaunch(const cuda::Device &device, size_t number, const CudaKernels &kernels,
                              const Dims &capacity, const cuda::CUdeviceptr &dims) {
  const LaunchRecord &record = program->launches()[number];
  if (rank->kernels()->Get(record.kernel)->product())
    return addProduct(number, kernels, capacity);
  const cuda::KernelHandle &kernel = kernels.handles[record.kernel];
  int64_t blocks = numBlocks(program->numTasks(record, capacity), kernel);
  if (blocks > cuda::kMaxBlocks)
    return failure(fmt::format(
        "{} blocks at the entry's capacity, but a GPU runs at most {} in one launch: compile it with "
        "a smaller bucket",
        blocks, cuda::kMaxBlocks));
  launches.push_back({&kernel, uint32_t(blocks), parameters.size(), nullptr});
  // The driver reads values through these pointers and changes none.
  parameters.push_back(const_cast<cuda::CUdeviceptr *>(&dims));
  void *const *buffers = program->arguments(record);
  for (uint32_t i = 0; i < record.numArguments; ++i)
    parameters.push_back(const_cast<void **>(buffers + i));
  return addTensorMaps(device, record, capacity);
}

/// Launches of one kernel share its product: all have the entry's rows.
Status CudaProgram::addProduct(size_t number, const CudaKernels &kernels, const Dims &capacity) {
  uint32_t kernel = program->launches()[number].kernel;
  const MatrixProduct &planned = *rank->kernels()->Get(kernel)->product();
  auto product = products.find(kernel);
  if (int64_t rows = numTasks(number, capacity); product == products.end() && rows > 0) {
    TRY_ASSIGN(cuda::MatrixProduct made,
               cuda::MatrixProduct::create(*kernels.library, *kernels.context,
                                           {.columns = planned.columns(),
                                            .depth = planned.depth(),
                                            .result = planned.result_type(),
                                            .workspaceBytes = planned.workspace_bytes()},
                                           rows));
    product = products.emplace(kernel, std::move(made)).first;
  }
  launches.push_back({.product = product == products.end() ? nullptr : &product->second});
  return {};
}

cuda::MatrixProductBuffers CudaProgram::productBuffers(size_t number) const {
  const LaunchRecord &record = program->launches()[number];
  const MatrixProduct &planned = *rank->kernels()->Get(record.kernel)->product();
  void *const *arguments = program->arguments(record);
  return {.activations = arguments[planned.activations()],
          .weight = arguments[planned.weight()],
          .result = arguments[planned.result()],
          .workspace = arguments[planned.workspace()]};
}

Status CudaProgram::addTensorMaps(const cuda::Device &device, const LaunchRecord &record,
                                  const Dims &capacity) {
  const Kernel &kernel = *rank->kernels()->Get(record.kernel);
  for (uint32_t i = 0; i < sizeOf(kernel.tensor_maps()); ++i) {
    const TensorMap &planned = *kernel.tensor_maps()->Get(i);
    std::vector<uint64_t> shape, strides;
    std::vector<uint32_t> box(planned.box()->begin(), planned.box()->end());
    for (const Extent *extent : *planned.shape())
      shape.push_back(uint64_t(extentSize(*extent, capacity)));
    if (planned.strides())
      strides.assign(planned.strides()->begin(), planned.strides()->end());
    void *address = program->arguments(record)[planned.argument()];
    auto map = cuda::encodeTensorMap(device, {.type = planned.type(),
                                              .address = reinterpret_cast<cuda::CUdeviceptr>(address),
                                              .shape = shape,
                                              .strides = strides,
                                              .box = box,
                                              .swizzle = planned.swizzle()});
    if (!map)
      return failure(fmt::format("tensor map {} over argument {}", i, planned.argument()), map.error());
    tensorMaps.push_back(*map);
    parameters.push_back(&tensorMaps.back());
  }
  return {};
}

Status CudaProgram::buildGraph(const cuda::Device &device, cuda::CUstream stream) {
  std::vector<cuda::KernelLaunch> nodes;
  for (const PreparedLaunch &launch : launches)
    if (launch.blocks > 0)
      nodes.push_back({launch.kernel, launch.blocks, parameters.data() + launch.firstParameter});
  auto built = cuda::Graph::build(device, nodes);
  if (!built)
    return failure(fmt::format("entry {}: its graph of {} kernels", entryName(), nodes.size()),
                   built.error());
  graph = std::move(*built);
  return graph->upload(device, stream);
}

Status CudaProgram::startLaunch(const cuda::Device &device, cuda::CUstream stream, size_t number, const Dims &dims,
                                bool overlaps) {
  const PreparedLaunch &prepared = launches[number];
  int64_t tasks = numTasks(number, dims);
  if (prepared.product)
    return prepared.product->start(stream, productBuffers(number), tasks);
  // The driver does not write through the parameters.
  cuda::KernelLaunch launch{prepared.kernel, uint32_t(numBlocks(tasks, *prepared.kernel)),
                            parameters.data() + prepared.firstParameter};
  return cuda::startLaunch(device, stream, launch, overlaps);
}

bool CudaProgram::hasStartedLibraries(const Dims &dims) const {
  for (size_t number = 0; number < launches.size(); ++number)
    if (isLibraryCall(number) && !isEmpty(number, dims) && !launches[number].product->hasStarted(numTasks(number, dims)))
      return false;
  return true;
}

std::string CudaProgram::describe(size_t number) const {
  uint32_t kernel = program->launches()[number].kernel;
  return fmt::format("entry {}, {}, kernel {}", entryName(), describePlace(*rank, program->entry(), number),
                     rank->kernels()->Get(kernel)->name()->string_view());
}

} // namespace kimi::runtime
