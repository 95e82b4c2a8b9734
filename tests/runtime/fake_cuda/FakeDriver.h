// What the parts of the fake CUDA driver share.
#pragma once

#include "runtime/cuda/DriverTypes.h"
#include "tests/runtime/fake_cuda/FakeCuda.h"

#include <array>

namespace kimi::test {

using namespace kimi::runtime::cuda;

FakeCuda &fake();

/// What every call but a few begins with: error without a current context, or after a fault.
CUresult enter();

void count(int64_t &counter, int64_t amount);

/// The host's address of device memory that lies inside one allocation; null otherwise.
std::byte *onHost(CUdeviceptr address, size_t bytes);

using FakeKernel = void (*)(void **parameters, int64_t block);

struct FakeFunction {
  std::string name;
  FakeKernel run = nullptr;
  const uint32_t *parameterBytes = nullptr; // ends with 0
  unsigned dynamicSharedBytes = 0;          // that a launch may ask for
};

struct FakeGraph;

/// What a stream holds until somebody waits for it.
struct Operation {
  enum Kind { copy, fill, kernel, graph, record, gate, call } kind;
  std::byte *to = nullptr, *from = nullptr; // the host's or, with kDeviceBit, the device's
  size_t bytes = 0, rows = 1, toPitch = 0, fromPitch = 0;
  uint32_t value = 0; // of a fill's bytes; that a gate waits for at `from`
  const FakeFunction *function = nullptr;
  unsigned blocks = 0;
  size_t values = 0; // where the kernel's parameters begin
  FakeGraph *executable = nullptr;
  struct FakeEvent *event = nullptr;
  void (*run)(const void *state) = nullptr; // of a call, with what `state` holds then
  std::array<uint64_t, 8> state{};
};

/// Queues an operation; without a stream it runs at once. Of a kernel, also the values of its parameters.
CUresult enqueue(CUstream stream, Operation operation, void **parameters = nullptr);

/// Was a kernel queued last? What else a programmatic launch would overlap with is not said.
bool followsKernel(CUstream stream);

void runKernel(const FakeFunction &function, void **parameters, unsigned blocks);
void runGraph(const FakeGraph &graph);

} // namespace kimi::test

#define ENTER()                                                                                              \
  if (CUresult result_ = kimi::test::enter(); result_ != CUDA_SUCCESS)                                       \
  return result_
