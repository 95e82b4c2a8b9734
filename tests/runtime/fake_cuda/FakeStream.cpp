// The fake CUDA driver: streams, events, copies. A stream does what is queued on it when somebody waits, or
// when it is full. Queueing allocates nothing.
#include "tests/runtime/fake_cuda/FakeDriver.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

namespace kimi::test {

static constexpr CUresult kNotReady = CUresult(600),
                          kWaitsForEver = CUresult(702); // CUDA_ERROR_LAUNCH_TIMEOUT

struct FakeEvent {
  std::shared_ptr<class Queue> queue; // where it was recorded last
  bool isPending = false;
  std::chrono::steady_clock::time_point time;
};

/// Host memory as it is; device memory only while it is allocated.
static std::byte *follow(std::byte *address, size_t bytes) {
  return uint64_t(address) & kDeviceBit ? onHost(CUdeviceptr(address), bytes) : address;
}

class Queue {
public:
  Queue() {
    operations.reserve(kOperations);
    values.reserve(kValueBytes);
  }

  CUresult push(Operation operation, void **parameters) {
    std::lock_guard lock(mutex);
    if (operations.size() == kOperations || values.size() + kMostParameterBytes > kValueBytes)
      if (CUresult result = runAll())
        return result;
    operation.values = values.size();
    for (size_t i = 0; parameters && operation.function->parameterBytes[i]; ++i) {
      auto *value = static_cast<const std::byte *>(parameters[i]);
      values.insert(values.end(), value, value + operation.function->parameterBytes[i]);
    }
    operations.push_back(operation);
    return CUDA_SUCCESS;
  }

  bool endsWithKernel() {
    std::lock_guard lock(mutex);
    return lastKind == Operation::kernel ||
           (!operations.empty() && operations.back().kind == Operation::kernel);
  }

  CUresult run() {
    std::lock_guard lock(mutex);
    return runAll();
  }

private:
  // Far fewer than a driver takes; a kernel's parameters are at most 4 KiB.
  static constexpr size_t kOperations = 512, kValueBytes = 1 << 18, kMostParameterBytes = 1 << 12;

  /// Error where a gate is closed: a device would wait for ever, because only this thread could open it.
  CUresult runAll() {
    for (; next < operations.size(); ++next)
      if (CUresult result = runOne(operations[next]))
        return result;
    lastKind = operations.empty() ? lastKind : operations.back().kind;
    operations.clear();
    values.clear();
    next = 0;
    return fake().isFaulted ? CUDA_ERROR_ILLEGAL_ADDRESS : CUDA_SUCCESS;
  }

  CUresult runOne(const Operation &operation) {
    switch (operation.kind) {
    case Operation::copy:
    case Operation::fill:
      for (size_t row = 0; row < operation.rows; ++row)
        moveRow(operation, row);
      break;
    case Operation::kernel:
      startKernel(operation);
      break;
    case Operation::graph:
      runGraph(*operation.executable);
      break;
    case Operation::record:
      operation.event->time = std::chrono::steady_clock::now();
      operation.event->isPending = false;
      break;
    case Operation::call:
      if (!fake().isFaulted)
        operation.run(operation.state.data());
      break;
    case Operation::gate:
      if (std::atomic_ref(*reinterpret_cast<uint32_t *>(operation.from)).load() < operation.value)
        return kWaitsForEver;
      count(fake().gates, 1);
      break;
    }
    return CUDA_SUCCESS;
  }

  void moveRow(const Operation &operation, size_t row) {
    std::byte *to = follow(operation.to + row * operation.toPitch, operation.bytes);
    std::byte *from = operation.kind == Operation::fill
                          ? to
                          : follow(operation.from + row * operation.fromPitch, operation.bytes);
    if (!to || !from)
      fake().isFaulted = true; // given back in the meantime
    else if (operation.kind == Operation::fill)
      std::memset(to, int(operation.value), operation.bytes);
    else
      std::memcpy(to, from, operation.bytes);
  }

  void startKernel(const Operation &operation) {
    std::array<void *, 64> parameters{};
    std::byte *value = values.data() + operation.values;
    for (size_t i = 0; operation.function->parameterBytes[i];
         value += operation.function->parameterBytes[i++])
      parameters[i] = value;
    runKernel(*operation.function, parameters.data(), operation.blocks);
  }

  std::mutex mutex;
  std::vector<Operation> operations;
  std::vector<std::byte> values; // of kernels' parameters
  size_t next = 0;
  Operation::Kind lastKind = Operation::record;
};

static std::shared_ptr<Queue> &queueOf(CUstream stream) {
  return *reinterpret_cast<std::shared_ptr<Queue> *>(stream);
}

CUresult enqueue(CUstream stream, Operation operation, void **parameters) {
  if (stream)
    return queueOf(stream)->push(operation, parameters);
  Queue atOnce;
  CUresult result = atOnce.push(operation, parameters);
  return result ? result : atOnce.run();
}

/// Uses more memory than any cache holds.
static void forgetCaches() {
  static std::vector<char> memory(size_t(96) << 20);
  for (size_t i = 0; i < memory.size(); i += 64)
    ++memory[i];
}

bool followsKernel(CUstream stream) { return stream && queueOf(stream)->endsWithKernel(); }

static std::byte *pointer(const void *address) {
  return static_cast<std::byte *>(const_cast<void *>(address));
}
static std::byte *pointer(CUdeviceptr address) { return reinterpret_cast<std::byte *>(address); }

} // namespace kimi::test

using namespace kimi::test;

extern "C" {

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, CUstream stream) {
  ENTER();
  if (!onHost(to, bytes))
    return CUDA_ERROR_INVALID_VALUE;
  count(fake().copiesToDevice, 1);
  count(fake().bytesToDevice, int64_t(bytes));
  return enqueue(stream, {.kind = Operation::copy, .to = pointer(to), .from = pointer(from), .bytes = bytes});
}
CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, CUstream stream) {
  ENTER();
  if (!onHost(from, bytes))
    return CUDA_ERROR_INVALID_VALUE;
  count(fake().copiesToHost, 1);
  count(fake().bytesToHost, int64_t(bytes));
  return enqueue(stream, {.kind = Operation::copy, .to = pointer(to), .from = pointer(from), .bytes = bytes});
}
CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
  ENTER();
  if (!onHost(to, bytes) || !onHost(from, bytes))
    return CUDA_ERROR_INVALID_VALUE;
  return enqueue(stream, {.kind = Operation::copy, .to = pointer(to), .from = pointer(from), .bytes = bytes});
}
/// Rows from the host to the device, from their first byte on.
CUresult cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D *copy, CUstream stream) {
  ENTER();
  bool isFaked = copy->srcMemoryType == CU_MEMORYTYPE_HOST && copy->dstMemoryType == CU_MEMORYTYPE_DEVICE &&
                 !copy->srcXInBytes && !copy->srcY && !copy->dstXInBytes && !copy->dstY;
  if (!isFaked || copy->Height == 0 || copy->WidthInBytes == 0 || copy->WidthInBytes > copy->srcPitch ||
      copy->WidthInBytes > copy->dstPitch ||
      !onHost(copy->dstDevice, (copy->Height - 1) * copy->dstPitch + copy->WidthInBytes))
    return CUDA_ERROR_INVALID_VALUE;
  count(fake().copiesToDevice, 1);
  count(fake().bytesToDevice, int64_t(copy->Height * copy->WidthInBytes));
  return enqueue(stream, {.kind = Operation::copy,
                          .to = pointer(copy->dstDevice),
                          .from = pointer(copy->srcHost),
                          .bytes = copy->WidthInBytes,
                          .rows = copy->Height,
                          .toPitch = copy->dstPitch,
                          .fromPitch = copy->srcPitch});
}
CUresult cuMemsetD8Async(CUdeviceptr address, unsigned char value, size_t bytes, CUstream stream) {
  ENTER();
  if (!onHost(address, bytes))
    return CUDA_ERROR_INVALID_VALUE;
  return enqueue(stream, {.kind = Operation::fill, .to = pointer(address), .bytes = bytes, .value = value});
}

CUresult cuStreamCreate(CUstream *stream, unsigned) {
  ENTER();
  count(fake().liveHandles, 1);
  *stream = reinterpret_cast<CUstream>(new std::shared_ptr<Queue>(std::make_shared<Queue>()));
  return CUDA_SUCCESS;
}
// What is queued still happens.
CUresult cuStreamDestroy_v2(CUstream stream) {
  queueOf(stream)->run();
  delete &queueOf(stream);
  return count(fake().liveHandles, -1), CUDA_SUCCESS;
}
CUresult cuStreamSynchronize(CUstream stream) {
  ENTER();
  count(fake().waits, 1);
  CUresult result = stream ? queueOf(stream)->run() : CUDA_SUCCESS;
  if (fake().forgetsCaches)
    forgetCaches();
  return result;
}
CUresult cuStreamWaitValue32_v2(CUstream stream, CUdeviceptr address, uint32_t value, unsigned flags) {
  ENTER();
  if (flags != CU_STREAM_WAIT_VALUE_GEQ || address & kDeviceBit)
    return CUDA_ERROR_INVALID_VALUE; // not faked
  return enqueue(stream, {.kind = Operation::gate, .from = pointer(address), .value = value});
}

CUresult cuEventCreate(CUevent *event, unsigned) {
  ENTER();
  count(fake().liveHandles, 1);
  return *event = reinterpret_cast<CUevent>(new FakeEvent()), CUDA_SUCCESS;
}
CUresult cuEventDestroy_v2(CUevent handle) {
  auto *event = reinterpret_cast<FakeEvent *>(handle);
  if (event->isPending)
    event->queue->run();
  delete event;
  return count(fake().liveHandles, -1), CUDA_SUCCESS;
}
CUresult cuEventRecord(CUevent handle, CUstream stream) {
  ENTER();
  auto *event = reinterpret_cast<FakeEvent *>(handle);
  event->queue = queueOf(stream);
  event->isPending = true;
  return enqueue(stream, {.kind = Operation::record, .event = event});
}
// What lies behind it on its stream may happen too.
CUresult cuEventSynchronize(CUevent handle) {
  ENTER();
  auto *event = reinterpret_cast<FakeEvent *>(handle);
  return event->isPending ? event->queue->run() : CUDA_SUCCESS;
}
CUresult cuEventElapsedTime(float *milliseconds, CUevent startHandle, CUevent endHandle) {
  ENTER();
  auto *start = reinterpret_cast<FakeEvent *>(startHandle), *end = reinterpret_cast<FakeEvent *>(endHandle);
  if (start->isPending || end->isPending)
    return kNotReady;
  *milliseconds = std::chrono::duration<float, std::milli>(end->time - start->time).count();
  return CUDA_SUCCESS;
}

} // extern "C"
