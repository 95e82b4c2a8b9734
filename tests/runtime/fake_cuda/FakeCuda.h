// Settings and counters of the fake CUDA driver, shared by the library and the tests that load it.
//
// The library stands in for libcuda.so.1 on machines without a GPU (KIMI_CUDA_DRIVER names it). It runs on
// host memory and is stricter than a driver has to be: what is queued on a stream happens when somebody waits
// for it and no sooner, behind a closed gate (cuStreamWaitValue32) never; device addresses cannot be followed
// by the host, copies must lie inside one allocation, also when they happen, calls without a current context
// fail, a programmatic launch must follow a kernel, and nodes of a graph run in the worst order that its
// edges allow. A "cubin" is an ELF object of the host whose kernel NAME is
//   void NAME(void **parameters, int64_t block)   with   const uint32_t NAME_parameters[]: bytes of each
//   parameter, then 0
#pragma once

#include <cstdint>
#include <string>

namespace kimi::test {

/// Set in every device address. Kernels take it off.
inline constexpr uint64_t kDeviceBit = uint64_t(1) << 62;

struct FakeCuda {
  // Settings.
  int version = 13000;
  int numDevices = 1;
  int major = 9, minor = 0;
  int maxThreads = 1024, maxSharedBytes = 227 * 1024;
  bool hasClusters = true;
  uint64_t memoryBytes = uint64_t(1) << 30;
  uint64_t pinnedBytes = uint64_t(1) << 30;
  int localBytes = 0;         // per thread, of every kernel
  std::string faultingKernel; // reads an illegal address: seen when the host waits, and ever after
  std::string refusedKernel;  // its launch is refused
  bool forgetsCaches = false; // waiting leaves nothing in the processor's caches, as if others had used them

  // Counters.
  int64_t graphStarts = 0, graphNodes = 0;
  int64_t programmaticEdges = 0, fullEdges = 0;
  bool notesOverlapping = false;
  std::string overlapping; // if so: kernels that may start before their predecessor's end, each with a space
  int64_t launches = 0, programmaticLaunches = 0; // by themselves, not in a graph
  int64_t blocks = 0, clusteredLaunches = 0;
  int64_t copiesToDevice = 0, bytesToDevice = 0, copiesToHost = 0, bytesToHost = 0, waits = 0;
  int64_t gates = 0;       // that opened, and let through what was behind
  int64_t liveHandles = 0; // of all kinds: what somebody forgot to give back
  bool isFaulted = false;
};

} // namespace kimi::test

/// In the library, found with dlsym.
extern "C" kimi::test::FakeCuda *kimiFakeCuda();
