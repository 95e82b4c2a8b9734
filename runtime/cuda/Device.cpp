#include "runtime/cuda/Device.h"

#include "runtime/base/Units.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace kimi::runtime::cuda {

static constexpr uint64_t kReservedBytes = uint64_t(256) << 20;

Expected<Device> Device::open() {
  Device opened;
  TRY_ASSIGN(opened.cudaDriver, Driver::open());
  const Driver &driver = *opened.cudaDriver;
  int count = 0;
  TRY(driver.cuDeviceGetCount(&count));
  if (count == 0)
    return failure(
        "CUDA shows no GPU: check CUDA_VISIBLE_DEVICES and nvidia-smi, or compile with --target cpu");
  TRY(driver.cuDeviceGet(&opened.device, 0));
  TRY(opened.readProperties());
  TRY(driver.cuDevicePrimaryCtxRetain(&opened.context, opened.device));
  TRY(opened.makeCurrent());
  return opened;
}

Status Device::readProperties() {
  char name[256] = {};
  TRY(cudaDriver->cuDeviceGetName(name, sizeof(name) - 1, device));
  deviceProperties.name = name;
  auto read = [&](CUdevice_attribute attribute, auto &value) -> Status {
    int number = 0;
    TRY(cudaDriver->cuDeviceGetAttribute(&number, attribute, device));
    value = static_cast<std::remove_reference_t<decltype(value)>>(number);
    return {};
  };
  DeviceProperties &p = deviceProperties;
  TRY(read(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, p.major));
  TRY(read(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, p.minor));
  TRY(read(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, p.numProcessors));
  TRY(read(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, p.maxThreads));
  TRY(read(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, p.maxSharedBytes));
  TRY(read(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR, p.threadsPerProcessor));
  TRY(read(CU_DEVICE_ATTRIBUTE_CLUSTER_LAUNCH, p.hasClusters));
  size_t bytes = 0;
  TRY(cudaDriver->cuDeviceTotalMem(&bytes, device));
  p.memoryBytes = bytes;
  return {};
}

Device::Device(Device &&other) noexcept
    : cudaDriver(other.cudaDriver), device(other.device), context(std::exchange(other.context, nullptr)),
      deviceProperties(std::move(other.deviceProperties)) {}

Device::~Device() {
  if (context)
    cudaDriver->cuDevicePrimaryCtxRelease.raw(device);
}

std::string Device::description() const {
  return fmt::format("{}, {} processors, {}", deviceProperties.name, deviceProperties.numProcessors,
                     formatBytes(double(deviceProperties.memoryBytes)));
}

Expected<uint64_t> Device::availableMemory() const {
  size_t freeBytes = 0, totalBytes = 0;
  TRY(cudaDriver->cuMemGetInfo(&freeBytes, &totalBytes));
  return freeBytes - std::min<uint64_t>(kReservedBytes, freeBytes / 16);
}

Expected<Stream> Device::createStream() const {
  CUstream stream = nullptr;
  TRY(cudaDriver->cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
  return Stream(stream, cudaDriver->cuStreamDestroy);
}

Expected<Event> Device::createEvent(bool withTime) const {
  CUevent event = nullptr;
  TRY(cudaDriver->cuEventCreate(&event, withTime ? CU_EVENT_DEFAULT : CU_EVENT_DISABLE_TIMING));
  return Event(event, cudaDriver->cuEventDestroy);
}

Expected<DeviceBuffer> DeviceBuffer::allocate(const Device &device, uint64_t bytes, std::string_view what) {
  DeviceBuffer buffer;
  if (bytes == 0)
    return buffer;
  CUdeviceptr address = 0;
  if (auto status = device.driver().cuMemAlloc(&address, bytes); !status)
    return failure(fmt::format("cannot get {} of device memory for the {}", formatBytes(double(bytes)), what),
                   status.error());
  buffer.memory = Owned<CUdeviceptr>(address, device.driver().cuMemFree);
  buffer.bytes = bytes;
  return buffer;
}

Expected<PinnedBuffer> PinnedBuffer::allocate(const Device &device, uint64_t bytes, std::string_view what) {
  PinnedBuffer buffer;
  if (bytes == 0)
    return buffer;
  void *address = nullptr;
  if (auto status = device.driver().cuMemHostAlloc(&address, bytes, CU_MEMHOSTALLOC_DEVICEMAP); !status)
    return failure(
        fmt::format("cannot get {} of pinned host memory for the {}", formatBytes(double(bytes)), what),
        status.error());
  buffer.memory = Owned<void *>(address, device.driver().cuMemFreeHost);
  buffer.bytes = bytes;
  std::memset(address, 0, bytes);
  return buffer;
}

Expected<CUdeviceptr> PinnedBuffer::addressOnDevice(const Device &device) const {
  CUdeviceptr address = 0;
  if (memory.get())
    TRY(device.driver().cuMemHostGetDevicePointer(&address, memory.get(), 0));
  return address;
}

} // namespace kimi::runtime::cuda
