// Small things that the threads of a warp or of some warps do together.
namespace kimi {

__device__ __forceinline__ float warpMax(float value) {
  for (int distance = 16; distance > 0; distance /= 2)
    value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, distance));
  return value;
}

// A barrier for `threads` threads of the block; ids 1 .. 15 (0 is __syncthreads).
__device__ __forceinline__ void syncThreads(int id, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

// Counts as this thread's part of such a barrier, without waiting.
__device__ __forceinline__ void arriveThreads(int id, int threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

} // namespace kimi
