// Barriers in shared memory that count arrivals and, for asynchronous copies, bytes. A wait names the parity
// of the phase it waits for: 0 for the first, 1 for the second, 0 for the third ...
namespace kimi {

__device__ __forceinline__ void initBarrier(unsigned barrier, unsigned arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}

// Makes initialised barriers visible to the copy engine and to the other blocks of the cluster.
__device__ __forceinline__ void fenceBarrierInit() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

__device__ __forceinline__ void arrive(unsigned barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}

// Arrives, and lets the phase end only when `bytes` more have been copied.
__device__ __forceinline__ void arriveExpecting(unsigned barrier, unsigned bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes)
               : "memory");
}

__device__ __forceinline__ void waitBarrier(unsigned barrier, unsigned parity) {
  asm volatile("{\n"
               ".reg .pred done;\n"
               "again:\n"
               "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
               "@done bra finished;\n"
               "bra again;\n"
               "finished:\n"
               "}" ::"r"(barrier),
               "r"(parity)
               : "memory");
}

// Whether that phase is over, without waiting.
__device__ __forceinline__ bool testBarrier(unsigned barrier, unsigned parity) {
  unsigned done;
  asm volatile("{\n"
               ".reg .pred done;\n"
               "mbarrier.test_wait.parity.shared::cta.b64 done, [%1], %2;\n"
               "selp.u32 %0, 1, 0, done;\n"
               "}"
               : "=r"(done)
               : "r"(barrier), "r"(parity)
               : "memory");
  return done;
}

// Waits for it, but not much longer than so many cycles.
__device__ __forceinline__ void waitBarrierBriefly(unsigned barrier, unsigned parity, unsigned most) {
  unsigned begin, now;
  asm volatile("mov.u32 %0, %%clock;" : "=r"(begin)::"memory");
  do
    asm volatile("mov.u32 %0, %%clock;" : "=r"(now)::"memory");
  while (!testBarrier(barrier, parity) && now - begin < most);
}

} // namespace kimi
