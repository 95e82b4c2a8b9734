#include "tests/gpu/Driver.h"

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

namespace kimi::gpu {

namespace {

void *library = nullptr;

// Calls NAME of the driver, by its versioned symbol, and ends the program on an error. Only the function's type is
// named at compile time: nothing is linked against the driver.
template <class Function, class... Arguments> void call(const char *name, Arguments... arguments) {
  auto *function = reinterpret_cast<Function *>(dlsym(library, name));
  const CUresult result = function ? function(arguments...) : CUDA_ERROR_NOT_FOUND;
  if (result == CUDA_SUCCESS)
    return;
  std::fflush(stdout);
  std::fprintf(stderr, "%s failed with error %d\n", name, static_cast<int>(result));
  std::_Exit(1);
}

#define KIMI_TEXT_(text) #text
#define KIMI_TEXT(text) KIMI_TEXT_(text)
#define DRIVER(name, ...) call<decltype(name)>(KIMI_TEXT(name) __VA_OPT__(, ) __VA_ARGS__)

} // namespace

void startDriver() {
  library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
  if (!library) {
    std::fprintf(stderr, "no libcuda.so.1 here: run this on a machine with an NVIDIA driver\n");
    std::exit(1);
  }
  CUdevice device;
  CUcontext context;
  DRIVER(cuInit, 0u);
  DRIVER(cuDeviceGet, &device, 0);
  DRIVER(cuDevicePrimaryCtxRetain, &context, device);
  DRIVER(cuCtxSetCurrent, context);
}

std::string deviceName() {
  char name[256];
  int count = 0;
  DRIVER(cuDeviceGetName, name, 256, 0);
  DRIVER(cuDeviceGetAttribute, &count, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 0);
  return std::string(name) + ", " + std::to_string(count) + " multiprocessors";
}

Buffer::Buffer(size_t bytes) : bytes(bytes) { DRIVER(cuMemAlloc, &pointer, bytes); }
Buffer::~Buffer() { DRIVER(cuMemFree, pointer); }
void Buffer::poison() { DRIVER(cuMemsetD8, pointer, static_cast<unsigned char>(0xff), bytes); }
void Buffer::write(const void *source, size_t count) { DRIVER(cuMemcpyHtoD, pointer, source, count); }
void Buffer::copyFrom(const Buffer &source, size_t count) {
  DRIVER(cuMemcpyDtoD, pointer, source.pointer, count);
}
void Buffer::read(void *destination, size_t count) const {
  DRIVER(cuMemcpyDtoH, destination, pointer, count);
}

Kernel loadKernel(const std::string &path, const std::string &name, unsigned shared) {
  CUmodule module;
  Kernel kernel;
  DRIVER(cuModuleLoad, &module, path.c_str());
  DRIVER(cuModuleGetFunction, &kernel.function, module, name.c_str());
  if (shared > 48 * 1024)
    DRIVER(cuFuncSetAttribute, kernel.function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
           static_cast<int>(shared));
  kernel.shared = shared;
  return kernel;
}

int residentBlocks(const Kernel &kernel) {
  CUlaunchAttribute attribute = {};
  attribute.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
  attribute.value.clusterDim.x = kernel.cluster;
  attribute.value.clusterDim.y = attribute.value.clusterDim.z = 1;
  CUlaunchConfig config = {};
  config.gridDimX = kernel.grid;
  config.gridDimY = config.gridDimZ = config.blockDimY = config.blockDimZ = 1;
  config.blockDimX = kernel.threads;
  config.sharedMemBytes = kernel.shared;
  config.attrs = &attribute;
  config.numAttrs = 1;
  int clusters = 0;
  DRIVER(cuOccupancyMaxActiveClusters, &clusters, kernel.function, &config);
  return clusters * static_cast<int>(kernel.cluster);
}

void launch(const Kernel &kernel, CUstream stream, std::vector<void *> arguments, bool programmatic) {
  CUlaunchAttribute attributes[2] = {};
  unsigned count = 0;
  if (kernel.cluster > 1) {
    attributes[count].id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
    attributes[count].value.clusterDim.x = kernel.cluster;
    attributes[count].value.clusterDim.y = attributes[count].value.clusterDim.z = 1;
    ++count;
  }
  if (programmatic) {
    attributes[count].id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
    attributes[count].value.programmaticStreamSerializationAllowed = 1;
    ++count;
  }
  CUlaunchConfig config = {};
  config.gridDimX = kernel.grid;
  config.gridDimY = kernel.gridY;
  config.gridDimZ = config.blockDimY = config.blockDimZ = 1;
  config.blockDimX = kernel.threads;
  config.sharedMemBytes = kernel.shared;
  config.hStream = stream;
  config.attrs = attributes;
  config.numAttrs = count;
  DRIVER(cuLaunchKernelEx, &config, kernel.function, arguments.data(), nullptr);
}

CUtensorMap encodeMap(CUdeviceptr address, int elementBytes, const long long (&shape)[2], long long stride,
                      const int (&box)[2]) {
  CUtensorMap map;
  const cuuint64_t sizes[2] = {static_cast<cuuint64_t>(shape[0]), static_cast<cuuint64_t>(shape[1])};
  const cuuint64_t strides[1] = {static_cast<cuuint64_t>(stride)};
  const cuuint32_t boxes[2] = {static_cast<cuuint32_t>(box[0]), static_cast<cuuint32_t>(box[1])},
                   steps[2] = {1, 1};
  DRIVER(cuTensorMapEncodeTiled, &map,
         elementBytes == 1 ? CU_TENSOR_MAP_DATA_TYPE_UINT8 : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2u,
         reinterpret_cast<void *>(address), sizes, strides, boxes, steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
         CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  return map;
}

CUstream newStream() {
  CUstream stream;
  DRIVER(cuStreamCreate, &stream, static_cast<unsigned>(CU_STREAM_NON_BLOCKING));
  return stream;
}

void synchronise() { DRIVER(cuCtxSynchronize); }

void beginCapture(CUstream stream) { DRIVER(cuStreamBeginCapture, stream, CU_STREAM_CAPTURE_MODE_GLOBAL); }

std::vector<float> endCaptureAndTime(CUstream stream, int repeats) {
  CUgraph graph;
  CUgraphExec executable;
  CUevent begin, end;
  DRIVER(cuStreamEndCapture, stream, &graph);
  DRIVER(cuGraphInstantiate, &executable, graph, 0ull);
  DRIVER(cuEventCreate, &begin, static_cast<unsigned>(CU_EVENT_DEFAULT));
  DRIVER(cuEventCreate, &end, static_cast<unsigned>(CU_EVENT_DEFAULT));
  std::vector<float> times;
  for (int repeat = -3; repeat < repeats; ++repeat) {
    DRIVER(cuEventRecord, begin, stream);
    DRIVER(cuGraphLaunch, executable, stream);
    DRIVER(cuEventRecord, end, stream);
    DRIVER(cuEventSynchronize, end);
    float milliseconds = 0.0f;
    DRIVER(cuEventElapsedTime, &milliseconds, begin, end);
    if (repeat >= 0)
      times.push_back(milliseconds * 1000.0f);
  }
  DRIVER(cuEventDestroy, begin);
  DRIVER(cuEventDestroy, end);
  DRIVER(cuGraphExecDestroy, executable);
  DRIVER(cuGraphDestroy, graph);
  return times;
}

} // namespace kimi::gpu
