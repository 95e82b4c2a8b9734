// One GPU and its primary context; owners of memory, streams and events on it. Thread rule: any thread may
// use a device after makeCurrent(); owners must be destroyed while it is current, by a thread that nobody
// races.
#pragma once

#include "runtime/cuda/Driver.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace kimi::runtime::cuda {

/// A handle that the driver takes back when it is destroyed. Failures of giving back are ignored: after a
/// device's fault everything fails.
template <typename Handle> class Owned {
public:
  using Release = EntryPoint<CUresult(Handle)>;

  Owned() = default;
  Owned(Handle handle, const Release &release) : handle(handle), release(&release) {}
  Owned(Owned &&other) noexcept
      : handle(std::exchange(other.handle, Handle{})), release(std::exchange(other.release, nullptr)) {}
  Owned &operator=(Owned &&other) noexcept {
    std::swap(handle, other.handle);
    std::swap(release, other.release);
    return *this;
  }
  ~Owned() {
    if (release && handle)
      release->raw(handle);
  }

  Handle get() const { return handle; }

private:
  Handle handle{};
  const Release *release = nullptr;
};

using Stream = Owned<CUstream>;
using Event = Owned<CUevent>;

struct DeviceProperties {
  std::string name;
  int major = 0, minor = 0;    // compute capability
  uint32_t numProcessors = 0;  // streaming multiprocessors
  uint32_t maxThreads = 0;     // per block
  uint32_t maxSharedBytes = 0; // per block, when a kernel asks for it
  uint32_t threadsPerProcessor = 0;
  bool hasClusters = false;
  uint64_t memoryBytes = 0;
};

class Device {
public:
  /// The first GPU that CUDA shows (CUDA_VISIBLE_DEVICES chooses), made current for this thread. Errors as
  /// Driver::open, and no GPU.
  static Expected<Device> open();

  Device(Device &&other) noexcept;
  ~Device();

  const Driver &driver() const { return *cudaDriver; }
  const DeviceProperties &properties() const { return deviceProperties; }

  /// "NVIDIA H200, 132 processors, 139 GiB"
  std::string description() const;

  /// For the calling thread. Cheap when it is already.
  Status makeCurrent() const { return cudaDriver->cuCtxSetCurrent(context); }

  /// Bytes that can be allocated, less a reserve for what the driver takes by itself (graphs, streams).
  Expected<uint64_t> availableMemory() const;

  Expected<Stream> createStream() const;
  Expected<Event> createEvent(bool withTime) const;

private:
  Device() = default;
  Status readProperties();

  const Driver *cudaDriver = nullptr;
  CUdevice device = 0;
  CUcontext context = nullptr;
  DeviceProperties deviceProperties;
};

/// Memory on the device. Not cleared.
class DeviceBuffer {
public:
  /// Zero bytes give an empty buffer. The error names `what` the memory was for and how much was asked.
  static Expected<DeviceBuffer> allocate(const Device &device, uint64_t bytes, std::string_view what);

  DeviceBuffer() = default;
  CUdeviceptr address() const { return memory.get(); }
  uint64_t size() const { return bytes; }

  /// The same address as kernels' pointers are: the host must not follow it.
  std::byte *pointer() const { return reinterpret_cast<std::byte *>(address()); }

private:
  Owned<CUdeviceptr> memory;
  uint64_t bytes = 0;
};

/// Host memory that the device copies from and to by itself, and that kernels may write. Zeroed.
class PinnedBuffer {
public:
  /// As DeviceBuffer's.
  static Expected<PinnedBuffer> allocate(const Device &device, uint64_t bytes, std::string_view what);

  PinnedBuffer() = default;

  /// What kernels know it by; 0 for an empty buffer. What they write is there once the host has waited for them.
  Expected<CUdeviceptr> addressOnDevice(const Device &device) const;
  std::byte *data() const { return static_cast<std::byte *>(memory.get()); }
  uint64_t size() const { return bytes; }

private:
  Owned<void *> memory;
  uint64_t bytes = 0;
};

} // namespace kimi::runtime::cuda
