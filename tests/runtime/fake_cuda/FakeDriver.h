// What the parts of the fake CUDA driver share.
#pragma once

#include "runtime/cuda/DriverTypes.h"
#include "tests/runtime/fake_cuda/FakeCuda.h"

namespace kimi::test {

using namespace kimi::runtime::cuda;

FakeCuda &fake();

/// What every call but a few begins with: error without a current context, or after a fault.
CUresult enter();

void count(int64_t &counter, int64_t amount);

using FakeKernel = void (*)(void **parameters, int64_t block);

struct FakeFunction {
  std::string name;
  FakeKernel run = nullptr;
  const uint32_t *parameterBytes = nullptr; // ends with 0
  unsigned dynamicSharedBytes = 0;          // that a launch may ask for
};

} // namespace kimi::test
