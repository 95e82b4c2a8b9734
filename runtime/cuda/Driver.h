// The CUDA driver, loaded when a CUDA artifact is: nothing links it, so one binary runs on a laptop and on an H200.
// Declares the few types and functions of the driver API (CUDA Driver API reference, 13.0) that are used.
#pragma once

#include "runtime/base/Status.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kimi::runtime::cuda {

using Result = int; // CUresult; 0 = success
using DevicePtr = unsigned long long;
using Context = struct CUctx_st *;
using ModuleHandle = struct CUmod_st *;
using Function = struct CUfunc_st *;
using StreamHandle = struct CUstream_st *;
using EventHandle = struct CUevent_st *;
using GraphHandle = struct CUgraph_st *;
using GraphNode = struct CUgraphNode_st *;
using GraphExec = struct CUgraphExec_st *;

/// CUDA_KERNEL_NODE_PARAMS_v2
struct KernelNode {
  Function function;
  unsigned gridX, gridY, gridZ, blockX, blockY, blockZ, sharedBytes;
  void **parameters;
  void **extra;
  void *kernel;
  Context context;
};

// name in this table, name in the library, parameters
#define KIMI_CUDA_FUNCTIONS(X)                                                                                         \
  X(Init, "cuInit", (unsigned flags))                                                                                  \
  X(DriverGetVersion, "cuDriverGetVersion", (int *version))                                                            \
  X(DeviceGetCount, "cuDeviceGetCount", (int *count))                                                                  \
  X(DeviceGet, "cuDeviceGet", (int *device, int ordinal))                                                              \
  X(DeviceGetName, "cuDeviceGetName", (char *name, int length, int device))                                            \
  X(DeviceGetAttribute, "cuDeviceGetAttribute", (int *value, int attribute, int device))                               \
  X(DevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain", (Context * context, int device))                               \
  X(DevicePrimaryCtxRelease, "cuDevicePrimaryCtxRelease_v2", (int device))                                             \
  X(CtxSetCurrent, "cuCtxSetCurrent", (Context context))                                                               \
  X(MemGetInfo, "cuMemGetInfo_v2", (size_t *free, size_t *total))                                                      \
  X(MemAlloc, "cuMemAlloc_v2", (DevicePtr * pointer, size_t bytes))                                                    \
  X(MemFree, "cuMemFree_v2", (DevicePtr pointer))                                                                      \
  X(MemAllocHost, "cuMemAllocHost_v2", (void **pointer, size_t bytes))                                                 \
  X(MemFreeHost, "cuMemFreeHost", (void *pointer))                                                                     \
  X(MemHostRegister, "cuMemHostRegister_v2", (void *pointer, size_t bytes, unsigned flags))                            \
  X(MemHostUnregister, "cuMemHostUnregister", (void *pointer))                                                         \
  X(MemcpyHtoDAsync, "cuMemcpyHtoDAsync_v2", (DevicePtr to, const void *from, size_t bytes, StreamHandle stream))      \
  X(MemcpyDtoHAsync, "cuMemcpyDtoHAsync_v2", (void *to, DevicePtr from, size_t bytes, StreamHandle stream))            \
  X(MemcpyDtoDAsync, "cuMemcpyDtoDAsync_v2", (DevicePtr to, DevicePtr from, size_t bytes, StreamHandle stream))        \
  X(MemsetD8Async, "cuMemsetD8Async", (DevicePtr to, unsigned char value, size_t bytes, StreamHandle stream))          \
  X(ModuleLoadData, "cuModuleLoadData", (ModuleHandle * module, const void *image))                                    \
  X(ModuleUnload, "cuModuleUnload", (ModuleHandle module))                                                             \
  X(ModuleGetFunction, "cuModuleGetFunction", (Function * function, ModuleHandle module, const char *name))            \
  X(FuncSetAttribute, "cuFuncSetAttribute", (Function function, int attribute, int value))                             \
  X(LaunchKernel, "cuLaunchKernel",                                                                                    \
    (Function function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY,              \
     unsigned blockZ, unsigned sharedBytes, StreamHandle stream, void **parameters, void **extra))                     \
  X(StreamCreate, "cuStreamCreate", (StreamHandle * stream, unsigned flags))                                           \
  X(StreamDestroy, "cuStreamDestroy_v2", (StreamHandle stream))                                                        \
  X(StreamSynchronize, "cuStreamSynchronize", (StreamHandle stream))                                                   \
  X(EventCreate, "cuEventCreate", (EventHandle * event, unsigned flags))                                               \
  X(EventDestroy, "cuEventDestroy_v2", (EventHandle event))                                                            \
  X(EventRecord, "cuEventRecord", (EventHandle event, StreamHandle stream))                                            \
  X(EventSynchronize, "cuEventSynchronize", (EventHandle event))                                                       \
  X(EventElapsedTime, "cuEventElapsedTime_v2", (float *milliseconds, EventHandle from, EventHandle to))                \
  X(GraphCreate, "cuGraphCreate", (GraphHandle * graph, unsigned flags))                                               \
  X(GraphAddKernelNode, "cuGraphAddKernelNode_v2",                                                                     \
    (GraphNode * node, GraphHandle graph, const GraphNode *after, size_t numAfter, const KernelNode *kernel))          \
  X(GraphInstantiate, "cuGraphInstantiateWithFlags",                                                                   \
    (GraphExec * executable, GraphHandle graph, unsigned long long flags))                                             \
  X(GraphUpload, "cuGraphUpload", (GraphExec executable, StreamHandle stream))                                         \
  X(GraphLaunch, "cuGraphLaunch", (GraphExec executable, StreamHandle stream))                                         \
  X(GraphExecDestroy, "cuGraphExecDestroy", (GraphExec executable))                                                    \
  X(GraphDestroy, "cuGraphDestroy", (GraphHandle graph))                                                               \
  X(GetErrorName, "cuGetErrorName", (Result result, const char **text))                                                \
  X(GetErrorString, "cuGetErrorString", (Result result, const char **text))

/// The driver's functions. Constant after get(); any thread may call them.
struct Driver {
#define KIMI_CUDA_MEMBER(name, symbol, parameters) Result(*name) parameters = nullptr;
  KIMI_CUDA_FUNCTIONS(KIMI_CUDA_MEMBER)
#undef KIMI_CUDA_MEMBER

  /// Loads libcuda.so.1, or what the environment variable KIMI_CUDA_DRIVER names, and initialises it. Errors: there is
  /// none; it lacks a function; it is older than CUDA 13.0 (R580), which the cubins need.
  static Expected<const Driver *> get();

  /// Success, or "WHAT: CUDA_ERROR_.. (text)".
  Status check(Result result, std::string_view what) const;
};

/// Attributes that are asked (CUdevice_attribute, CUfunction_attribute).
inline constexpr int kClock = 13, kMultiprocessors = 16, kMajor = 75, kMinor = 76, kMostSharedBytes = 97, kFunctionSharedBytes = 8;

} // namespace kimi::runtime::cuda
