// One block of a kernel on the CPU: its threads are fibers of one host thread, which switch where a GPU's threads wait
// for each other. Linked into every image that the stand-in for NVRTC makes; device.h gives kernels the CUDA names for
// it.
#pragma once

namespace emulate {

struct Index {
  unsigned x, y, z;
};

/// Of the running thread.
extern Index threadIndex, blockIndex;

/// Shared memory that one block may have on sm_90. sm_80 has less, which kimic checks.
inline constexpr unsigned kSharedBytes = 232448;

/// What an image knows about its kernel. `call` takes the addresses of the kernel's arguments.
struct Kernel {
  const char *name;
  unsigned maxThreads; // its launch bounds
  void (*call)(void *const *parameters);
};

/// Runs one block. Returns null, or what a GPU would not forgive, in one line that holds until the next call. Calls
/// from several host threads wait for each other. The environment variable KIMI_EMULATE_ORDER (ascending, descending or
/// random:SEED) says in which order threads run where nothing orders them.
const char *runBlock(const Kernel &kernel, void *const *parameters, unsigned block, unsigned threads,
                     unsigned sharedBytes);
/// Ends the program with an error of runBlock.
void endOnError(const char *error);

// What running threads call. `line` is that of the kernel's text.
void barrier(int line);
unsigned shuffleXor(int line, unsigned mask, unsigned bits, int distance, int width);
/// The block's dynamic shared memory: NaN bytes when the block starts, and no memory behind its end.
unsigned char *sharedMemory();

} // namespace emulate
