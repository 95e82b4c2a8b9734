// One kernel, ready to run: alone on a stream, or as a chain of them in a graph.
#pragma once

#include "runtime/cuda/Device.h"

#include <span>

namespace kimi::runtime::cuda {

/// A kernel as the plan gives it, found in its cubin.
struct KernelHandle {
  CUfunction function = nullptr;
  uint32_t threads = 0, sharedBytes = 0; // per block
  uint32_t cluster = 1;                  // blocks
  bool programmatic = false;             // waits for its predecessor itself
};

/// The most blocks of one launch.
inline constexpr int64_t kMaxBlocks = (int64_t(1) << 31) - 1;

/// `parameters` holds the address of each kernel parameter's value.
struct KernelLaunch {
  const KernelHandle *kernel = nullptr;
  uint32_t blocks = 0; // a multiple of the cluster
  void **parameters = nullptr;
};

/// Starts one launch behind whatever is on the stream. `overlaps`: it may start before its predecessor on the
/// stream has ended, where the kernel is programmatic. The parameters' values are copied before this returns.
Status startLaunch(const Device &device, CUstream stream, const KernelLaunch &launch, bool overlaps);

/// A chain of launches that the driver starts as one.
class Graph {
public:
  /// Each launch waits for the one before; programmatic ones do so themselves. The graph keeps copies of the
  /// parameters.
  static Expected<Graph> build(const Device &device, std::span<const KernelLaunch> launches);

  Graph() = default;

  /// Moves it to the device, so that the first start is as fast as the others.
  Status upload(const Device &device, CUstream stream) const;
  Status start(const Device &device, CUstream stream) const;

private:
  Owned<CUgraphExec> executable;
};

} // namespace kimi::runtime::cuda
