// One GPU: its context, its memory, a stream. Thread rule: one thread at a time; makeCurrent() when it changes.
#pragma once

#include "runtime/cuda/Driver.h"

#include <memory>
#include <span>

namespace kimi::runtime::cuda {

/// Memory of the device. Owner.
class DeviceBuffer {
public:
  /// The error names `what` it was for and how much was asked. Zero bytes give an empty buffer.
  static Expected<DeviceBuffer> allocate(const Driver &driver, uint64_t bytes, std::string_view what);
  DeviceBuffer() = default;
  DeviceBuffer(DeviceBuffer &&other) noexcept { *this = std::move(other); }
  DeviceBuffer &operator=(DeviceBuffer &&other) noexcept;
  ~DeviceBuffer();

  DevicePtr address() const { return pointer; }
  uint64_t size() const { return bytes; }

private:
  const Driver *driver = nullptr;
  DevicePtr pointer = 0;
  uint64_t bytes = 0;
};

class Device {
public:
  /// The first GPU. Errors: no driver, no GPU, or one that code for `architecture` ("sm_90a") does not run on.
  static Expected<std::unique_ptr<Device>> open(std::string_view architecture);
  ~Device();
  Device(const Device &) = delete;

  const Driver &driver() const { return *api; }
  StreamHandle stream() const { return work; }
  const std::string &name() const { return deviceName; }
  uint64_t mostSharedBytes() const { return sharedBytes; }

  /// Bytes read and written per second by copies of a piece much larger than the caches: the best of several.
  Expected<double> measureCopy() const;
  /// f32 operations per second: multiprocessors x 128 lanes x 2 x clock (64 lanes on 8.0).
  double peakFlops() const { return flops; }

  Status makeCurrent() const { return api->check(api->CtxSetCurrent(context), "cuCtxSetCurrent"); }
  Expected<uint64_t> freeBytes() const;
  Status synchronize(std::string_view what) const { return api->check(api->StreamSynchronize(work), what); }

private:
  Device() = default;

  const Driver *api = nullptr;
  int ordinal = 0;
  Context context = nullptr;
  StreamHandle work = nullptr;
  std::string deviceName;
  uint64_t sharedBytes = 0;
  double flops = 0;
};

/// Copies `bytes` to `to` through pinned memory: fills one piece while another travels. Returns when all has arrived.
class Uploader {
public:
  static Expected<Uploader> create(const Device &device);
  Uploader(Uploader &&other) noexcept;
  ~Uploader();

  Status upload(DevicePtr to, std::span<const std::byte> bytes, int numThreads);
  Status finish();

private:
  explicit Uploader(const Device &device) : device(&device) {}

  static constexpr int kPieces = 4;
  const Device *device;
  std::byte *pieces[kPieces] = {};
  EventHandle arrived[kPieces] = {};
  bool isUsed[kPieces] = {};
  int next = 0;
};

} // namespace kimi::runtime::cuda
