// Times every launch of a program by itself: events between launches that the host has queued before the
// first may start, so that no time of the host's is counted. Allocates nothing while it runs.
#pragma once

#include "runtime/engine/CudaProgram.h"
#include "runtime/engine/Profile.h"

namespace kimi::runtime {

class CudaProfiler {
public:
  static Expected<CudaProfiler> create(const cuda::Device &device);

  /// Runs the program's launches one after another, without overlap, and records each. `hasRun`: it ran
  /// before. Where it has not, its first launches may make the driver wait for the device, so nothing is held
  /// back. Errors name the launch.
  Status run(const cuda::Device &device, cuda::CUstream stream, CudaProgram &program, bool hasRun,
             const Dims &dims, Profile &profile);

private:
  // Of launches queued together: together with their events far fewer than a stream takes before it blocks
  // the host.
  static constexpr size_t kBatch = 64;

  Status runBatch(const cuda::Device &device, cuda::CUstream stream, CudaProgram &program, bool isHeld,
                  const Dims &dims, size_t &next, Profile &profile);
  Status queue(const cuda::Device &device, cuda::CUstream stream, CudaProgram &program,
               const Dims &dims, size_t &next);

  cuda::PinnedBuffer gate; // a number the stream waits for
  uint32_t ticket = 0;
  std::vector<cuda::Event> events;     // kBatch + 1
  std::array<size_t, kBatch> queued{}; // launches between the events
  size_t numQueued = 0;
};

} // namespace kimi::runtime
