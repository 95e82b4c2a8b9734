// The CUDA driver by dlopen, for programs that are built where no GPU is. Any failing call ends the program,
// naming itself.
#pragma once

#include <cuda.h>

#include <cstddef>
#include <string>
#include <vector>

namespace kimi::gpu {

/// Loads libcuda.so.1 and makes a context on device 0; ends the program with one line where that fails.
void startDriver();

/// Name and count of multiprocessors of device 0.
std::string deviceName();

/// Device memory that is freed with the object.
class Buffer {
public:
  explicit Buffer(size_t bytes);
  ~Buffer();
  Buffer(const Buffer &) = delete;
  Buffer &operator=(const Buffer &) = delete;

  CUdeviceptr address() const { return pointer; }
  size_t size() const { return bytes; }
  /// 0xff everywhere: NaN in bf16, f32 and e4m3.
  void poison();
  void write(const void *source, size_t count);
  void copyFrom(const Buffer &source, size_t count);
  void read(void *destination, size_t count) const;

private:
  CUdeviceptr pointer = 0;
  size_t bytes;
};

struct Kernel {
  CUfunction function = nullptr;
  unsigned grid = 1, gridY = 1, threads = 1, shared = 0, cluster = 1;
};

/// Loads a cubin and finds the kernel; raises its limit of shared memory.
Kernel loadKernel(const std::string &path, const std::string &name, unsigned shared);

/// How many blocks of it the device can run at a time.
int residentBlocks(const Kernel &kernel);

/// `programmatic`: with the edge of a programmatic dependent launch to what is before it in the stream.
void launch(const Kernel &kernel, CUstream stream, std::vector<void *> arguments, bool programmatic);

/// A row-major matrix, swizzled by 128 bytes, 256-byte promotion; `type` by the element's size (1: bytes, 2:
/// bf16).
CUtensorMap encodeMap(CUdeviceptr address, int elementBytes, const long long (&shape)[2], long long stride,
                      const int (&box)[2]);

CUstream newStream();
void synchronise();

/// What is launched by `record` on its stream becomes a graph; runs it `repeats` times and returns each run's
/// microseconds.
template <class Record> std::vector<float> timeGraph(CUstream stream, int repeats, Record record);

void beginCapture(CUstream stream);
std::vector<float> endCaptureAndTime(CUstream stream, int repeats);

template <class Record> std::vector<float> timeGraph(CUstream stream, int repeats, Record record) {
  beginCapture(stream);
  record();
  return endCaptureAndTime(stream, repeats);
}

} // namespace kimi::gpu
