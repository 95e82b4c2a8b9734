// A program as a GPU runs it: every launch with its parameters in place, and all of them as one graph.
#pragma once

#include "runtime/cuda/Launch.h"
#include "runtime/engine/Program.h"

#include <optional>

namespace kimi::runtime {

class CudaProgram {
public:
  /// `kernels` are those of the plan. `capacity` are the sizes of the entry's full step. `dims` holds the
  /// address of the dims on the device. All but `capacity` and `device` outlive the program. Errors name
  /// entry, launch and kernel: a grid too large for a GPU, a tensor map that the driver refuses.
  static Expected<CudaProgram> create(const cuda::Device &device, const artifact::Rank &rank,
                                      const Program &program, std::span<const cuda::KernelHandle> kernels,
                                      const Dims &capacity, const cuda::CUdeviceptr &dims);

  /// From now on start() may be used: a graph of the full step.
  Status buildGraph(const cuda::Device &device, cuda::CUstream stream);
  bool hasGraph() const { return graph.has_value(); }
  Status start(const cuda::Device &device, cuda::CUstream stream) const {
    return graph->start(device, stream);
  }

  /// Launches with a grid for these sizes; 0 blocks = nothing to do.
  size_t numLaunches() const { return launches.size(); }
  cuda::KernelLaunch launch(size_t number, const Dims &dims) const;
  uint32_t kernel(size_t number) const { return program->launches()[number].kernel; }

  /// "entry decode_4, launch 17 of 240 (block moe_layer, layer 3), kernel linear_2112x7168"
  std::string describe(size_t number) const;
  std::string entryName() const { return program->entry().name()->str(); }

private:
  CudaProgram(const artifact::Rank &rank, const Program &program) : rank(&rank), program(&program) {}
  Status addLaunch(const cuda::Device &device, size_t number, std::span<const cuda::KernelHandle> kernels,
                   const Dims &capacity, const cuda::CUdeviceptr &dims);
  Status addTensorMaps(const cuda::Device &device, const LaunchRecord &record, const Dims &capacity);

  struct PreparedLaunch {
    const cuda::KernelHandle *kernel;
    uint32_t blocks; // of the full step
    size_t firstParameter;
  };

  const artifact::Rank *rank;
  const Program *program;
  std::vector<PreparedLaunch> launches;
  std::vector<cuda::CUtensorMap> tensorMaps; // never moves: parameters point into it
  std::vector<void *> parameters;
  std::optional<cuda::Graph> graph;
};

} // namespace kimi::runtime
