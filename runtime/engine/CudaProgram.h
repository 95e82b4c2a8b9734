// One entry on a GPU, resolved at load: kernels, grids, and arguments as device addresses. A decode entry is one CUDA
// graph, built from the plan with the grids of a full step; blocks past the running step's tasks do nothing.
#pragma once

#include "runtime/cuda/Device.h"
#include "runtime/engine/Artifact.h"
#include "runtime/engine/Dims.h"
#include "runtime/engine/Profile.h"

#include <functional>
#include <vector>

namespace kimi::runtime {

/// A kernel as the driver knows it.
struct CudaKernel {
  cuda::Function function = nullptr;
  unsigned threads = 0, sharedBytes = 0;
};

class CudaProgram {
public:
  using Resolve = std::function<cuda::DevicePtr(const artifact::Argument &, uint32_t layer)>;

  /// `entry` has passed checkPlan. `dims` is where kernels find the running step's sizes. All outlive the program.
  CudaProgram(const cuda::Device &device, const artifact::Rank &rank, const artifact::Entry &entry,
              const std::vector<CudaKernel> &kernels, cuda::DevicePtr dims, const Resolve &resolve);
  CudaProgram(CudaProgram &&other) noexcept;
  ~CudaProgram();

  /// Builds the graph for a full step with `cacheBlocks` blocks of cache.
  Status buildGraph(int64_t cacheBlocks);

  /// Starts the graph, or where there is none every launch with the running step's grid.
  Status start(const Dims &dims) const;
  /// Launch by launch; waits for each, so that an error names its kernel.
  Status runOneByOne(const Dims &dims) const;
  /// Launch by launch, with the device's time of each.
  Status runTimed(const Dims &dims, Profile &profile) const;

private:
  struct LaunchRecord {
    uint32_t kernel;
    uint32_t firstParameter; // into parameters
    std::vector<artifact::Extent> grid;
  };

  Status launch(const LaunchRecord &record, unsigned blocks) const;
  std::string describe(size_t number) const;

  const cuda::Device *device;
  const artifact::Rank *rank;
  const artifact::Entry *entry;
  const std::vector<CudaKernel> *kernels;
  std::vector<LaunchRecord> launches;
  std::vector<cuda::DevicePtr> values; // of all launches' parameters
  std::vector<void *> parameters;      // pointers into values, as the driver wants them
  cuda::GraphHandle graph = nullptr;
  cuda::GraphExec executable = nullptr;
};

} // namespace kimi::runtime
