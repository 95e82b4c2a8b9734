// The fake CUDA driver: devices, memory, modules. FakeStream.cpp has streams, events and copies,
// FakeGraph.cpp launches and graphs.
#include "tests/runtime/fake_cuda/FakeDriver.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <map>
#include <mutex>
#include <sys/mman.h>
#include <unistd.h>

namespace kimi::test {

FakeCuda &fake() {
  static FakeCuda settings;
  return settings;
}

static std::mutex mutex;                          // guards the maps and counters
static std::map<uint64_t, uint64_t> deviceMemory; // host address → bytes
static std::map<void *, uint64_t> pinnedMemory;
static std::map<uint64_t, uint64_t> mappedMemory; // what of it has an address on the device
static thread_local bool isCurrent = false;

CUresult enter() {
  if (!isCurrent)
    return CUresult(201); // CUDA_ERROR_INVALID_CONTEXT
  return fake().isFaulted ? CUDA_ERROR_ILLEGAL_ADDRESS : CUDA_SUCCESS;
}

void count(int64_t &counter, int64_t amount) {
  std::lock_guard lock(mutex);
  counter += amount;
}

static bool holds(const std::map<uint64_t, uint64_t> &memory, uint64_t start, size_t bytes) {
  auto after = memory.upper_bound(start);
  if (after == memory.begin())
    return false;
  auto &[base, size] = *std::prev(after);
  return start + bytes <= base + size;
}

std::byte *onHost(CUdeviceptr address, size_t bytes) {
  std::lock_guard lock(mutex);
  uint64_t start = address & ~kDeviceBit;
  bool isThere = holds(deviceMemory, start, bytes) || holds(mappedMemory, start, bytes);
  return address & kDeviceBit && isThere ? reinterpret_cast<std::byte *>(start) : nullptr;
}

template <typename Map> static uint64_t totalBytes(const Map &memory) {
  uint64_t sum = 0;
  for (auto &[address, bytes] : memory)
    sum += bytes;
  return sum;
}

template <typename Key, typename Map>
static CUresult allocate(Map &memory, uint64_t limit, size_t bytes, Key &address) {
  std::lock_guard lock(mutex);
  if (bytes == 0)
    return CUDA_ERROR_INVALID_VALUE;
  if (totalBytes(memory) + bytes > limit)
    return CUDA_ERROR_OUT_OF_MEMORY;
  void *pointer = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  std::memset(pointer, 0xa5, bytes); // not cleared
  address = Key(pointer);
  memory[address] = bytes;
  ++fake().liveHandles;
  return CUDA_SUCCESS;
}

template <typename Map, typename Key> static CUresult release(Map &memory, Key address) {
  std::lock_guard lock(mutex);
  if (memory.erase(address) == 0)
    return CUDA_ERROR_INVALID_VALUE;
  std::free((void *)address);
  --fake().liveHandles;
  return CUDA_SUCCESS;
}

/// Bytes of an ELF object, from its header: the driver is given no length.
static size_t elfBytes(const void *image) {
  Elf64_Ehdr header;
  std::memcpy(&header, image, sizeof(header));
  return header.e_shoff + size_t(header.e_shnum) * header.e_shentsize;
}

struct FakeModule {
  void *library;
  int descriptor;
  std::map<std::string, FakeFunction> functions;
};

} // namespace kimi::test

using namespace kimi::test;

extern "C" {

FakeCuda *kimiFakeCuda() { return &fake(); }

CUresult cuInit(unsigned) { return fake().numDevices > 0 ? CUDA_SUCCESS : CUDA_ERROR_NO_DEVICE; }
CUresult cuDriverGetVersion(int *version) { return *version = fake().version, CUDA_SUCCESS; }

CUresult cuGetErrorName(CUresult result, const char **name) {
  static const std::map<int, const char *> kNames{
      {1, "CUDA_ERROR_INVALID_VALUE"},     {2, "CUDA_ERROR_OUT_OF_MEMORY"},
      {100, "CUDA_ERROR_NO_DEVICE"},       {200, "CUDA_ERROR_INVALID_IMAGE"},
      {201, "CUDA_ERROR_INVALID_CONTEXT"}, {500, "CUDA_ERROR_NOT_FOUND"},
      {600, "CUDA_ERROR_NOT_READY"},       {700, "CUDA_ERROR_ILLEGAL_ADDRESS"},
      {702, "CUDA_ERROR_LAUNCH_TIMEOUT"},  {701, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES"}};
  auto found = kNames.find(int(result));
  *name = found == kNames.end() ? nullptr : found->second;
  return CUDA_SUCCESS;
}
CUresult cuGetErrorString(CUresult, const char **text) { return *text = "the fake says so", CUDA_SUCCESS; }

CUresult cuDeviceGetCount(int *number) { return *number = fake().numDevices, CUDA_SUCCESS; }
CUresult cuDeviceGet(CUdevice *device, int ordinal) { return *device = ordinal, CUDA_SUCCESS; }
CUresult cuDeviceGetName(char *name, int length, CUdevice) {
  std::strncpy(name, "Fake H200", size_t(length));
  return CUDA_SUCCESS;
}
CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice) { return *bytes = fake().memoryBytes, CUDA_SUCCESS; }

CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice) {
  const std::map<int, int> values{
      {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, fake().maxThreads},
      {CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 132},
      {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR, 2048},
      {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, fake().major},
      {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, fake().minor},
      {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, fake().maxSharedBytes},
      {CU_DEVICE_ATTRIBUTE_CLUSTER_LAUNCH, fake().hasClusters}};
  auto found = values.find(attribute);
  if (found == values.end())
    return CUDA_ERROR_INVALID_VALUE;
  *value = found->second;
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice) {
  count(fake().liveHandles, 1);
  return *context = reinterpret_cast<CUcontext>(&fake()), CUDA_SUCCESS;
}
CUresult cuDevicePrimaryCtxRelease_v2(CUdevice) { return count(fake().liveHandles, -1), CUDA_SUCCESS; }
CUresult cuCtxSetCurrent(CUcontext context) { return isCurrent = context != nullptr, CUDA_SUCCESS; }

CUresult cuMemGetInfo_v2(size_t *freeBytes, size_t *allBytes) {
  ENTER();
  std::lock_guard lock(mutex);
  *allBytes = fake().memoryBytes;
  *freeBytes = fake().memoryBytes - totalBytes(deviceMemory);
  return CUDA_SUCCESS;
}

CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
  ENTER();
  uint64_t host = 0;
  CUresult result = allocate(deviceMemory, fake().memoryBytes, bytes, host);
  *address = host | kDeviceBit;
  return result;
}
// Giving back works after a fault too, as the context's end would.
CUresult cuMemFree_v2(CUdeviceptr address) { return release(deviceMemory, uint64_t(address & ~kDeviceBit)); }
CUresult cuMemHostAlloc(void **address, size_t bytes, unsigned) {
  ENTER();
  return allocate(pinnedMemory, fake().pinnedBytes, bytes, *address);
}
CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr *device, void *address, unsigned) {
  ENTER();
  std::lock_guard lock(mutex);
  auto found = pinnedMemory.find(address);
  if (found == pinnedMemory.end())
    return CUDA_ERROR_INVALID_VALUE;
  mappedMemory.insert({uint64_t(address), found->second});
  return *device = uint64_t(address) | kDeviceBit, CUDA_SUCCESS;
}
CUresult cuMemFreeHost(void *address) {
  {
    std::lock_guard lock(mutex);
    mappedMemory.erase(uint64_t(address));
  }
  return release(pinnedMemory, address);
}

CUresult cuModuleLoadData(CUmodule *module, const void *image) {
  ENTER();
  int descriptor = memfd_create("fake-cubin", MFD_CLOEXEC);
  size_t bytes = elfBytes(image);
  std::string path = "/proc/self/fd/" + std::to_string(descriptor);
  void *library = nullptr;
  if (write(descriptor, image, bytes) == ssize_t(bytes))
    library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    close(descriptor);
    return CUDA_ERROR_INVALID_IMAGE;
  }
  *module = reinterpret_cast<CUmodule>(new FakeModule{library, descriptor, {}});
  return count(fake().liveHandles, 1), CUDA_SUCCESS;
}
CUresult cuModuleUnload(CUmodule handle) {
  auto *module = reinterpret_cast<FakeModule *>(handle);
  dlclose(module->library);
  close(module->descriptor);
  delete module;
  return count(fake().liveHandles, -1), CUDA_SUCCESS;
}
CUresult cuModuleGetFunction(CUfunction *function, CUmodule handle, const char *name) {
  ENTER();
  auto *module = reinterpret_cast<FakeModule *>(handle);
  FakeFunction found;
  found.name = name;
  found.run = reinterpret_cast<FakeKernel>(dlsym(module->library, name));
  found.parameterBytes =
      static_cast<const uint32_t *>(dlsym(module->library, (std::string(name) + "_parameters").c_str()));
  if (!found.run || !found.parameterBytes)
    return CUDA_ERROR_NOT_FOUND;
  *function = reinterpret_cast<CUfunction>(&(module->functions[name] = found));
  return CUDA_SUCCESS;
}

CUresult cuFuncLoad(CUfunction) { return enter(); }

CUresult cuFuncGetAttribute(int *value, CUfunction_attribute attribute, CUfunction) {
  ENTER();
  switch (attribute) {
  case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
    *value = fake().maxThreads;
    return CUDA_SUCCESS;
  case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES:
    *value = 0;
    return CUDA_SUCCESS;
  case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES:
    *value = fake().localBytes;
    return CUDA_SUCCESS;
  default:
    return CUDA_ERROR_INVALID_VALUE;
  }
}
CUresult cuFuncSetAttribute(CUfunction handle, CUfunction_attribute attribute, int value) {
  ENTER();
  if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES || value > fake().maxSharedBytes)
    return CUDA_ERROR_INVALID_VALUE;
  reinterpret_cast<FakeFunction *>(handle)->dynamicSharedBytes = unsigned(value);
  return CUDA_SUCCESS;
}

// The driver's own rules for what is used of it: interleave none, dense elements.
static bool isGoodMap(CUtensorMapDataType type, uint32_t rank, uint64_t address, const uint64_t *shape,
                      const uint64_t *strides, const uint32_t *box, CUtensorMapSwizzle swizzle) {
  static constexpr uint64_t kBytes[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2}, kSpans[] = {256 * 8, 32, 64, 128};
  bool isGood = address % 16 == 0 && rank >= 1 && rank <= 5 && box[0] * kBytes[type] % 16 == 0 &&
                box[0] * kBytes[type] <= kSpans[swizzle];
  for (uint32_t i = 0; i < rank; ++i)
    isGood = isGood && shape[i] >= 1 && shape[i] <= uint64_t(1) << 32 && box[i] >= 1 && box[i] <= 256;
  for (uint32_t i = 0; i + 1 < rank; ++i)
    isGood = isGood && strides[i] % 16 == 0 && strides[i] < uint64_t(1) << 40;
  return isGood;
}

CUresult cuTensorMapEncodeTiled(CUtensorMap *map, CUtensorMapDataType type, uint32_t rank, void *address,
                                const uint64_t *shape, const uint64_t *strides, const uint32_t *box,
                                const uint32_t *, CUtensorMapInterleave, CUtensorMapSwizzle swizzle,
                                CUtensorMapL2promotion, CUtensorMapFloatOOBfill) {
  ENTER();
  if (!isGoodMap(type, rank, uint64_t(address), shape, strides, box, swizzle))
    return CUDA_ERROR_INVALID_VALUE;
  // What the toy kernels need of it, as toy_cuda_kernels.c reads it.
  *map = {};
  map->opaque[0] = uint64_t(address);
  map->opaque[1] = rank;
  std::copy_n(shape, rank, map->opaque + 2);
  map->opaque[7] = uint64_t(type) << 8 | uint64_t(swizzle);
  std::copy_n(strides, rank - 1, map->opaque + 8);
  std::copy_n(box, rank, reinterpret_cast<uint32_t *>(map->opaque + 12));
  return CUDA_SUCCESS;
}

} // extern "C"
