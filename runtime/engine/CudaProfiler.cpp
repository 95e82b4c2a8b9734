#include "runtime/engine/CudaProfiler.h"

#include <atomic>

namespace kimi::runtime {

using namespace cuda;

Expected<CudaProfiler> CudaProfiler::create(const Device &device) {
  CudaProfiler profiler;
  TRY_ASSIGN(profiler.gate, PinnedBuffer::allocate(device, sizeof(uint32_t), "profiler"));
  while (profiler.events.size() < kBatch + 1) {
    TRY_ASSIGN(Event event, device.createEvent(/*withTime=*/true));
    profiler.events.push_back(std::move(event));
  }
  return profiler;
}

Status CudaProfiler::queue(const Device &device, CUstream stream, CudaProgram &program,
                           const Dims &dims, size_t &next) {
  numQueued = 0;
  TRY(device.driver().cuEventRecord(events[0].get(), stream));
  for (; next < program.numLaunches() && numQueued < kBatch; ++next) {
    if (program.isEmpty(next, dims))
      continue;
    if (auto status = program.startLaunch(device, stream, next, dims, /*overlaps=*/false); !status)
      return failure(program.describe(next), status.error());
    queued[numQueued++] = next;
    TRY(device.driver().cuEventRecord(events[numQueued].get(), stream));
  }
  return {};
}

Status CudaProfiler::runBatch(const Device &device, CUstream stream, CudaProgram &program, bool isHeld,
                              const Dims &dims, size_t &next, Profile &profile) {
  const Driver &driver = device.driver();
  ++ticket;
  if (isHeld)
    TRY(driver.cuStreamWaitValue32(stream, reinterpret_cast<CUdeviceptr>(gate.data()), ticket,
                                   CU_STREAM_WAIT_VALUE_GEQ));
  size_t first = next;
  Status status = queue(device, stream, program, dims, next);
  // Opened whatever happened: the stream must not wait for ever.
  std::atomic_ref(*reinterpret_cast<uint32_t *>(gate.data())).store(ticket, std::memory_order_release);
  TRY(status);
  if (auto drained = driver.cuStreamSynchronize(stream); !drained)
    return failure(program.describe(first) + " or one of the next " + std::to_string(kBatch),
                   drained.error());
  for (size_t i = 0; i < numQueued; ++i) {
    float milliseconds = 0;
    TRY(driver.cuEventElapsedTime(&milliseconds, events[i].get(), events[i + 1].get()));
    profile.record(program.kernel(queued[i]), double(milliseconds) * 1e-3, dims);
  }
  return {};
}

Status CudaProfiler::run(const Device &device, CUstream stream, CudaProgram &program, bool hasRun,
                         const Dims &dims, Profile &profile) {
  for (size_t next = 0; next < program.numLaunches();)
    TRY(runBatch(device, stream, program, /*isHeld=*/hasRun, dims, next, profile));
  return {};
}

} // namespace kimi::runtime
