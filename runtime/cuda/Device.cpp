#include "runtime/cuda/Device.h"

#include "runtime/base/Units.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <thread>
#include <vector>

namespace kimi::runtime::cuda {

Expected<DeviceBuffer> DeviceBuffer::allocate(const Driver &driver, uint64_t bytes, std::string_view what) {
  DeviceBuffer buffer;
  buffer.driver = &driver;
  buffer.bytes = bytes;
  if (bytes > 0)
    TRY(driver.check(driver.MemAlloc(&buffer.pointer, bytes),
                     fmt::format("cannot allocate {} of device memory for {}", formatBytes(double(bytes)), what)));
  return buffer;
}

DeviceBuffer &DeviceBuffer::operator=(DeviceBuffer &&other) noexcept {
  std::swap(driver, other.driver);
  std::swap(pointer, other.pointer);
  std::swap(bytes, other.bytes);
  return *this;
}

DeviceBuffer::~DeviceBuffer() {
  if (pointer)
    driver->MemFree(pointer);
}

/// sm_90a is for 9.0 alone; code for sm_80 runs on every 8.x.
static bool runs(std::string_view architecture, int major, int minor) {
  return architecture == "sm_90a" ? major == 9 && minor == 0 : architecture == "sm_80" && major == 8;
}

Expected<std::unique_ptr<Device>> Device::open(std::string_view architecture) {
  std::unique_ptr<Device> device(new Device);
  TRY_ASSIGN(device->api, Driver::get());
  const Driver &api = *device->api;
  int count = 0, major = 0, minor = 0, shared = 0;
  TRY(api.check(api.DeviceGetCount(&count), "cuDeviceGetCount"));
  if (count == 0)
    return failure("this artifact needs an NVIDIA GPU, but the driver shows none: check CUDA_VISIBLE_DEVICES and nvidia-smi, "
                   "or compile it for --target cpu");
  TRY(api.check(api.DeviceGet(&device->ordinal, 0), "cuDeviceGet"));
  char name[256] = {};
  TRY(api.check(api.DeviceGetName(name, sizeof(name) - 1, device->ordinal), "cuDeviceGetName"));
  device->deviceName = name;
  TRY(api.check(api.DeviceGetAttribute(&major, kMajor, device->ordinal), "cuDeviceGetAttribute"));
  TRY(api.check(api.DeviceGetAttribute(&minor, kMinor, device->ordinal), "cuDeviceGetAttribute"));
  if (!runs(architecture, major, minor))
    return failure(fmt::format("compiled for {}, but {} has compute capability {}.{}: compile it again with --target "
                               "cuda:{}",
                               architecture, name, major, minor, major == 9 ? "sm_90a" : "sm_80"));
  TRY(api.check(api.DeviceGetAttribute(&shared, kMostSharedBytes, device->ordinal), "cuDeviceGetAttribute"));
  device->sharedBytes = uint64_t(shared);
  int processors = 0, kilohertz = 0;
  TRY(api.check(api.DeviceGetAttribute(&processors, kMultiprocessors, device->ordinal), "cuDeviceGetAttribute"));
  TRY(api.check(api.DeviceGetAttribute(&kilohertz, kClock, device->ordinal), "cuDeviceGetAttribute"));
  device->flops = double(processors) * (major == 8 && minor == 0 ? 64 : 128) * 2 * kilohertz * 1e3;
  TRY(api.check(api.DevicePrimaryCtxRetain(&device->context, device->ordinal), "cuDevicePrimaryCtxRetain"));
  TRY(device->makeCurrent());
  TRY(api.check(api.StreamCreate(&device->work, /*non-blocking*/ 1), "cuStreamCreate"));
  return device;
}

static constexpr uint64_t kMeasuredBytes = 512 << 20;

Expected<double> Device::measureCopy() const {
  TRY_ASSIGN(DeviceBuffer from, DeviceBuffer::allocate(*api, kMeasuredBytes, "a measurement"));
  TRY_ASSIGN(DeviceBuffer to, DeviceBuffer::allocate(*api, kMeasuredBytes, "a measurement"));
  EventHandle marks[2] = {};
  float best = 0;
  for (EventHandle &mark : marks)
    TRY(api->check(api->EventCreate(&mark, 0), "cuEventCreate"));
  for (int round = 0; round < 10; ++round) {
    float milliseconds = 0;
    TRY(api->check(api->EventRecord(marks[0], work), "cuEventRecord"));
    TRY(api->check(api->MemcpyDtoDAsync(to.address(), from.address(), kMeasuredBytes, work), "cuMemcpyDtoDAsync"));
    TRY(api->check(api->EventRecord(marks[1], work), "cuEventRecord"));
    TRY(synchronize("a measured copy"));
    TRY(api->check(api->EventElapsedTime(&milliseconds, marks[0], marks[1]), "cuEventElapsedTime"));
    best = best == 0 ? milliseconds : std::min(best, milliseconds);
  }
  for (EventHandle mark : marks)
    api->EventDestroy(mark);
  return 2.0 * double(kMeasuredBytes) / (best / 1e3);
}

Device::~Device() {
  if (work)
    api->StreamDestroy(work);
  if (context)
    api->DevicePrimaryCtxRelease(ordinal);
}

Expected<uint64_t> Device::freeBytes() const {
  size_t free = 0, total = 0;
  TRY(api->check(api->MemGetInfo(&free, &total), "cuMemGetInfo"));
  return uint64_t(free);
}

static constexpr uint64_t kPieceBytes = 32 << 20;

Expected<Uploader> Uploader::create(const Device &device) {
  Uploader uploader(device);
  const Driver &api = device.driver();
  for (int i = 0; i < kPieces; ++i) {
    void *memory = nullptr;
    TRY(api.check(api.MemAllocHost(&memory, kPieceBytes), "cannot pin memory for loading"));
    uploader.pieces[i] = static_cast<std::byte *>(memory);
    TRY(api.check(api.EventCreate(&uploader.arrived[i], /*no timing*/ 2), "cuEventCreate"));
  }
  return uploader;
}

Uploader::Uploader(Uploader &&other) noexcept : device(other.device), next(other.next) {
  for (int i = 0; i < kPieces; ++i) {
    pieces[i] = std::exchange(other.pieces[i], nullptr);
    arrived[i] = std::exchange(other.arrived[i], nullptr);
    isUsed[i] = other.isUsed[i];
  }
}

Uploader::~Uploader() {
  for (int i = 0; i < kPieces; ++i) {
    if (arrived[i])
      device->driver().EventDestroy(arrived[i]);
    if (pieces[i])
      device->driver().MemFreeHost(pieces[i]);
  }
}

/// One thread does not read a disk's cache as fast as the bus takes it.
static void copyInParallel(std::byte *to, const std::byte *from, uint64_t bytes, int numThreads) {
  uint64_t part = (bytes + uint64_t(numThreads) - 1) / uint64_t(numThreads);
  if (bytes < (1 << 20))
    part = bytes;
  std::vector<std::jthread> threads;
  for (uint64_t begin = part; begin < bytes; begin += part)
    threads.emplace_back([=] { std::memcpy(to + begin, from + begin, std::min(part, bytes - begin)); });
  std::memcpy(to, from, std::min(part, bytes));
}

Status Uploader::upload(DevicePtr to, std::span<const std::byte> bytes, int numThreads) {
  const Driver &api = device->driver();
  for (uint64_t done = 0; done < bytes.size(); done += kPieceBytes) {
    uint64_t size = std::min<uint64_t>(kPieceBytes, bytes.size() - done);
    if (isUsed[next])
      TRY(api.check(api.EventSynchronize(arrived[next]), "copying weights to the device"));
    copyInParallel(pieces[next], bytes.data() + done, size, numThreads);
    TRY(api.check(api.MemcpyHtoDAsync(to + done, pieces[next], size, device->stream()), "cuMemcpyHtoDAsync"));
    TRY(api.check(api.EventRecord(arrived[next], device->stream()), "cuEventRecord"));
    isUsed[next] = true;
    next = (next + 1) % kPieces;
  }
  return {};
}

Status Uploader::finish() { return device->synchronize("copying weights to the device"); }

} // namespace kimi::runtime::cuda
