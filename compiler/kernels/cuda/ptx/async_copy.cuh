// Copies of 4 or 16 bytes from global to shared memory that a thread starts and does not wait for (sm_80 on).
namespace kimi {

template <int bytes> __device__ __forceinline__ void copyAsync(unsigned destination, const void *source) {
  static_assert(bytes == 4 || bytes == 16, "what cp.async takes");
  if constexpr (bytes == 16) // past L1: nothing is read twice
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(destination), "l"(source) : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(destination), "l"(source) : "memory");
}

__device__ __forceinline__ void commitCopies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits until at most `pending` of this thread's groups are under way.
template <int pending> __device__ __forceinline__ void waitCopies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
}

// Arrives at the barrier when all copies that this thread has started are done; counts among its expected arrivals.
__device__ __forceinline__ void arriveAfterCopies(unsigned barrier) {
  asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(barrier) : "memory");
}

} // namespace kimi
