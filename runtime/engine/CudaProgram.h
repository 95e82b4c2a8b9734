// A program as a GPU runs it: every launch with its parameters in place, and all of them as one graph.
#pragma once

#include "runtime/cuda/Launch.h"
#include "runtime/cuda/MatrixProduct.h"
#include "runtime/engine/Program.h"

#include <map>
#include <optional>

namespace kimi::runtime {

/// What the plan's kernels became, in its order; `library` and `context` only where one of them is a library's product.
struct CudaKernels {
  std::span<const cuda::KernelHandle> handles;
  const cuda::CublasLt *library;
  const cuda::CublasLtContext *context;
};

class CudaProgram {
public:
  /// `capacity` are the sizes of the entry's full step. `dims` holds the address of the dims on the device. All but `capacity`
  /// and `device` outlive the program. Errors name entry, launch and kernel: a grid too large for a GPU, a tensor map that the
  /// driver refuses, a product that the library cannot compute.
  static Expected<CudaProgram> create(const cuda::Device &device, const artifact::Rank &rank,
                                      const Program &program, const CudaKernels &kernels,
                                      const Dims &capacity, const cuda::CUdeviceptr &dims);

  /// From now on start() may be used: a graph of the full step.
  Status buildGraph(const cuda::Device &device, cuda::CUstream stream);
  bool hasGraph() const { return graph.has_value(); }
  Status start(const cuda::Device &device, cuda::CUstream stream) const {
    return graph->start(device, stream);
  }

  size_t numLaunches() const { return launches.size(); }
  /// For these sizes there is nothing to do.
  bool isEmpty(size_t number, const Dims &dims) const { return numTasks(number, dims) == 0; }
  /// Behind whatever is on the stream, with a grid for these sizes. `overlaps`: as cuda::startLaunch's.
  Status startLaunch(const cuda::Device &device, cuda::CUstream stream, size_t number, const Dims &dims, bool overlaps);
  /// A call of a library may start more than kernels.
  bool isLibraryCall(size_t number) const { return launches[number].product != nullptr; }
  /// Every library has started such a step before: it loads nothing more.
  bool hasStartedLibraries(const Dims &dims) const;
  uint32_t kernel(size_t number) const { return program->launches()[number].kernel; }

  /// "entry decode_4, launch 17 of 240 (block moe_layer, layer 3), kernel linear_2112x7168"
  std::string describe(size_t number) const;
  std::string entryName() const { return program->entry().name()->str(); }

private:
  CudaProgram(const artifact::Rank &rank, const Program &program) : rank(&rank), program(&program) {}
  int64_t numTasks(size_t number, const Dims &dims) const {
    return program->numTasks(program->launches()[number], dims);
  }
  Status addLaunch(const cuda::Device &device, size_t number, const CudaKernels &kernels, const Dims &capacity,
                   const cuda::CUdeviceptr &dims);
  Status addProduct(size_t number, const CudaKernels &kernels, const Dims &capacity);
  cuda::MatrixProductBuffers productBuffers(size_t number) const;
  Status addTensorMaps(const cuda::Device &device, const LaunchRecord &record, const Dims &capacity);

  struct PreparedLaunch {
    const cuda::KernelHandle *kernel = nullptr;
    uint32_t blocks = 0; // of the full step
    size_t firstParameter = 0;
    cuda::MatrixProduct *product = nullptr; // instead of a kernel
  };

  const artifact::Rank *rank;
  const Program *program;
  std::vector<PreparedLaunch> launches;
  std::vector<cuda::CUtensorMap> tensorMaps; // never moves: parameters point into it
  std::vector<void *> parameters;
  std::map<uint32_t, cuda::MatrixProduct> products; // by kernel; launches point to them
  std::optional<cuda::Graph> graph;
};

} // namespace kimi::runtime
