#include "runtime/cuda/Ceilings.h"

#include "runtime/base/Units.h"

#include <algorithm>
#include <fmt/format.h>

namespace kimi::runtime::cuda {

static constexpr uint64_t kMostBytes = uint64_t(1) << 30, kLeastBytes = uint64_t(16) << 20;
static constexpr int kPasses = 8;

Expected<double> measureCopyBandwidth(const Device &device) {
  TRY_ASSIGN(uint64_t available, device.availableMemory());
  uint64_t bytes = std::min(kMostBytes, available / 4);
  if (bytes < kLeastBytes)
    return failure(
        fmt::format("{} of free device memory is too little to measure the copy bandwidth: ask for a smaller "
                    "cache",
                    formatBytes(double(available))));
  TRY_ASSIGN(DeviceBuffer from, DeviceBuffer::allocate(device, bytes, "bandwidth measurement"));
  TRY_ASSIGN(DeviceBuffer to, DeviceBuffer::allocate(device, bytes, "bandwidth measurement"));
  TRY_ASSIGN(Stream stream, device.createStream());
  TRY_ASSIGN(Event start, device.createEvent(/*withTime=*/true));
  TRY_ASSIGN(Event end, device.createEvent(/*withTime=*/true));
  const Driver &driver = device.driver();
  TRY(driver.cuMemsetD8Async(from.address(), 1, bytes, stream.get()));
  float best = 1e30f;
  for (int pass = 0; pass < kPasses; ++pass) {
    float milliseconds = 0;
    TRY(driver.cuEventRecord(start.get(), stream.get()));
    TRY(driver.cuMemcpyDtoDAsync(to.address(), from.address(), bytes, stream.get()));
    TRY(driver.cuEventRecord(end.get(), stream.get()));
    TRY(driver.cuEventSynchronize(end.get()));
    TRY(driver.cuEventElapsedTime(&milliseconds, start.get(), end.get()));
    best = std::min(best, milliseconds);
  }
  return 2.0 * double(bytes) / (double(best) * 1e-3);
}

} // namespace kimi::runtime::cuda
