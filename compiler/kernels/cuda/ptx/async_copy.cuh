// Copies of 4 or 16 bytes from global to shared memory that a thread starts and does not wait for (sm_80 on).
namespace kimi {

__device__ __forceinline__ void copyWord(unsigned destination, const void *source) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(destination), "l"(source) : "memory");
}
// 16 bytes, past L1: nothing is read twice. Zeros where `inside` is false; `source` must be a valid address
// even then.
__device__ __forceinline__ void copyVector(unsigned destination, const void *source, bool inside) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(destination), "l"(source),
               "r"(inside ? 16 : 0)
               : "memory");
}

__device__ __forceinline__ void commitCopies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits until at most `pending` of this thread's groups are under way.
template <int pending> __device__ __forceinline__ void waitCopies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
}

// Arrives at the barrier when all copies that this thread has started are done; counts among its expected
// arrivals.
__device__ __forceinline__ void arriveAfterCopies(unsigned barrier) {
  asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(barrier) : "memory");
}

} // namespace kimi
