// The CUDA driver, found when the program runs: libcuda.so.1, or the file that KIMI_CUDA_DRIVER names (for
// tests). Every entry point used stands here, under cuda.h's name. Thread rule: constant once opened; entry
// points are as thread-safe as CUDA's.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/cuda/DriverTypes.h"

namespace kimi::runtime::cuda {

class Driver;

/// The error an entry point gave, as "cuMemAlloc_v2: CUDA_ERROR_OUT_OF_MEMORY (out of memory)".
Error describeResult(const Driver &driver, const char *entryPoint, CUresult result);

template <typename Signature> class EntryPoint;

/// One function of the driver. Called, it gives its result as a Status.
template <typename... Arguments> class EntryPoint<CUresult(Arguments...)> {
public:
  EntryPoint(const Driver &driver, const char *name) : driver(driver), name(name) {}

  Status operator()(Arguments... arguments) const {
    CUresult result = function(arguments...);
    if (result == CUDA_SUCCESS) [[likely]]
      return {};
    return std::unexpected(describeResult(driver, name, result));
  }

  /// The bare result, for callers that tell results apart or cannot do anything about one.
  CUresult raw(Arguments... arguments) const { return function(arguments...); }

private:
  friend class Driver;
  const Driver &driver;
  const char *name;
  CUresult (*function)(Arguments...) = nullptr;
};

// clang-format off
#define KIMI_CUDA_ENTRY_POINTS(X)                                                                                      \
  X(cuDeviceGetCount, "cuDeviceGetCount", int *count)                                                                  \
  X(cuDeviceGet, "cuDeviceGet", CUdevice *device, int ordinal)                                                         \
  X(cuDeviceGetName, "cuDeviceGetName", char *name, int length, CUdevice device)                                       \
  X(cuDeviceGetAttribute, "cuDeviceGetAttribute", int *value, CUdevice_attribute attribute, CUdevice device)           \
  X(cuDeviceTotalMem, "cuDeviceTotalMem_v2", size_t *bytes, CUdevice device)                                           \
  X(cuDevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain", CUcontext *context, CUdevice device)                         \
  X(cuDevicePrimaryCtxRelease, "cuDevicePrimaryCtxRelease_v2", CUdevice device)                                        \
  X(cuCtxSetCurrent, "cuCtxSetCurrent", CUcontext context)                                                             \
  X(cuMemGetInfo, "cuMemGetInfo_v2", size_t *freeBytes, size_t *totalBytes)                                            \
  X(cuMemAlloc, "cuMemAlloc_v2", CUdeviceptr *address, size_t bytes)                                                   \
  X(cuMemFree, "cuMemFree_v2", CUdeviceptr address)                                                                    \
  X(cuMemHostAlloc, "cuMemHostAlloc", void **address, size_t bytes, unsigned flags)                                    \
  X(cuMemFreeHost, "cuMemFreeHost", void *address)                                                                     \
  X(cuMemHostGetDevicePointer, "cuMemHostGetDevicePointer_v2", CUdeviceptr *address, void *host, unsigned flags)       \
  X(cuMemcpyHtoDAsync, "cuMemcpyHtoDAsync_v2", CUdeviceptr to, const void *from, size_t bytes, CUstream stream)        \
  X(cuMemcpyDtoHAsync, "cuMemcpyDtoHAsync_v2", void *to, CUdeviceptr from, size_t bytes, CUstream stream)              \
  X(cuMemcpyDtoDAsync, "cuMemcpyDtoDAsync_v2", CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream)        \
  X(cuMemcpy2DAsync, "cuMemcpy2DAsync_v2", const CUDA_MEMCPY2D *copy, CUstream stream)                                 \
  X(cuMemsetD8Async, "cuMemsetD8Async", CUdeviceptr address, unsigned char value, size_t bytes, CUstream stream)       \
  X(cuStreamCreate, "cuStreamCreate", CUstream *stream, unsigned flags)                                                \
  X(cuStreamDestroy, "cuStreamDestroy_v2", CUstream stream)                                                            \
  X(cuStreamSynchronize, "cuStreamSynchronize", CUstream stream)                                                       \
  X(cuStreamWaitValue32, "cuStreamWaitValue32_v2", CUstream stream, CUdeviceptr address, uint32_t value,               \
    unsigned flags)                                                                                                    \
  X(cuEventCreate, "cuEventCreate", CUevent *event, unsigned flags)                                                    \
  X(cuEventDestroy, "cuEventDestroy_v2", CUevent event)                                                                \
  X(cuEventRecord, "cuEventRecord", CUevent event, CUstream stream)                                                    \
  X(cuEventSynchronize, "cuEventSynchronize", CUevent event)                                                           \
  X(cuEventElapsedTime, "cuEventElapsedTime", float *milliseconds, CUevent start, CUevent end)                         \
  X(cuModuleLoadData, "cuModuleLoadData", CUmodule *module, const void *image)                                         \
  X(cuModuleUnload, "cuModuleUnload", CUmodule module)                                                                 \
  X(cuModuleGetFunction, "cuModuleGetFunction", CUfunction *function, CUmodule module, const char *name)               \
  X(cuFuncGetAttribute, "cuFuncGetAttribute", int *value, CUfunction_attribute attribute, CUfunction function)         \
  X(cuFuncSetAttribute, "cuFuncSetAttribute", CUfunction function, CUfunction_attribute attribute, int value)          \
  X(cuFuncLoad, "cuFuncLoad", CUfunction function)                                                                     \
  X(cuLaunchKernelEx, "cuLaunchKernelEx", const CUlaunchConfig *config, CUfunction function, void **parameters,        \
    void **extra)                                                                                                      \
  X(cuTensorMapEncodeTiled, "cuTensorMapEncodeTiled", CUtensorMap *map, CUtensorMapDataType type, uint32_t rank,       \
    void *address, const uint64_t *shape, const uint64_t *strides, const uint32_t *box,                                \
    const uint32_t *elementStrides, CUtensorMapInterleave interleave, CUtensorMapSwizzle swizzle,                      \
    CUtensorMapL2promotion promotion, CUtensorMapFloatOOBfill fill)                                                    \
  X(cuGraphCreate, "cuGraphCreate", CUgraph *graph, unsigned flags)                                                    \
  X(cuGraphDestroy, "cuGraphDestroy", CUgraph graph)                                                                   \
  X(cuGraphAddKernelNode, "cuGraphAddKernelNode_v2", CUgraphNode *node, CUgraph graph,                                 \
    const CUgraphNode *dependencies, size_t count, const CUDA_KERNEL_NODE_PARAMS *parameters)                          \
  X(cuGraphKernelNodeSetAttribute, "cuGraphKernelNodeSetAttribute", CUgraphNode node, CUlaunchAttributeID attribute,   \
    const CUlaunchAttributeValue *value)                                                                               \
  X(cuGraphAddDependencies, "cuGraphAddDependencies_v2", CUgraph graph, const CUgraphNode *from,                       \
    const CUgraphNode *to, const CUgraphEdgeData *edges, size_t count)                                                 \
  X(cuGraphInstantiate, "cuGraphInstantiateWithFlags", CUgraphExec *executable, CUgraph graph,                         \
    unsigned long long flags)                                                                                          \
  X(cuGraphExecDestroy, "cuGraphExecDestroy", CUgraphExec executable)                                                  \
  X(cuGraphUpload, "cuGraphUpload", CUgraphExec executable, CUstream stream)                                           \
  X(cuGraphLaunch, "cuGraphLaunch", CUgraphExec executable, CUstream stream)
// clang-format on

class Driver {
public:
  /// Opens the driver and initialises CUDA. The same object for every caller, and never unloaded: CUDA has
  /// threads of its own. Errors: no libcuda, older than R580 (CUDA 13.0), no GPU; each says what to install.
  static Expected<const Driver *> open();

#define KIMI_CUDA_DECLARE(member, symbol, ...) EntryPoint<CUresult(__VA_ARGS__)> member{*this, symbol};
  KIMI_CUDA_ENTRY_POINTS(KIMI_CUDA_DECLARE)
#undef KIMI_CUDA_DECLARE

private:
  Driver() = default;
  Driver(const Driver &) = delete;
  Status load(const char *path);
  Status checkVersion();
  template <typename Function> Status find(const char *symbol, Function &function) const;

  friend Error describeResult(const Driver &driver, const char *entryPoint, CUresult result);

  void *library = nullptr;
  int supportedVersion = 0;
  EntryPoint<CUresult(unsigned flags)> cuInit{*this, "cuInit"};
  CUresult (*cuDriverGetVersion)(int *version) = nullptr;
  CUresult (*cuGetErrorName)(CUresult result, const char **name) = nullptr;
  CUresult (*cuGetErrorString)(CUresult result, const char **text) = nullptr;
};

} // namespace kimi::runtime::cuda
