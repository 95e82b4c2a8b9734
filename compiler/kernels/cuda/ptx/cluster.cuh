// Blocks of one cluster: who they are, how they meet, how they write into each other's shared memory.
namespace kimi {

// Every thread arrives, then waits, before it arrives again; threads that have returned are not waited for.
// Arriving orders nothing (a release here is a fence of the whole device): use it for barriers that
// fenceBarrierInit has published, or for shared memory that only the tensor cores and the copy engine have
// read.
__device__ __forceinline__ void arriveCluster() {
  asm volatile("barrier.cluster.arrive.relaxed.aligned;" ::: "memory");
}
__device__ __forceinline__ void waitCluster() {
  asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
}

// The address that the same place has in block `rank` of the cluster.
__device__ __forceinline__ unsigned mapToBlock(unsigned address, unsigned rank) {
  unsigned mapped;
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(mapped) : "r"(address), "r"(rank));
  return mapped;
}

// Writes 16 bytes into another block and counts them at a barrier there. No answer is awaited.
__device__ __forceinline__ void sendRemote(unsigned destination, float4 value, unsigned barrier) {
  asm volatile(
      "st.async.shared::cluster.mbarrier::complete_tx::bytes.v4.f32 [%0], {%1, %2, %3, %4}, [%5];" ::"r"(
          destination),
      "f"(value.x), "f"(value.y), "f"(value.z), "f"(value.w), "r"(barrier)
      : "memory");
}

} // namespace kimi
