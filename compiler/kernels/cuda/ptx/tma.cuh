// Tensor copies from global to shared memory by the copy engine (TMA): one thread asks for a box, a barrier
// counts its bytes. Elements outside the tensor arrive as zeros and count as bytes.
namespace kimi {

// L2 policies as createpolicy would encode them.
constexpr unsigned long long evictFirst = 0x12f0000000000000ull; // weights: read once per step
constexpr unsigned long long evictLast = 0x14f0000000000000ull;  // activations: every block reads them

__device__ __forceinline__ void loadBox(unsigned destination, const TensorMap *map, int column, int row,
                                        unsigned barrier, unsigned long long policy) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint "
               "[%0], [%1, {%2, %3}], [%4], %5;" ::"r"(destination),
               "l"(map), "r"(column), "r"(row), "r"(barrier), "l"(policy)
               : "memory");
}

// The first copy then need not wait for the map.
__device__ __forceinline__ void prefetchMap(const TensorMap *map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory");
}

// Orders this thread's ordinary writes to shared memory before later reads by the copy engine and the tensor
// cores.
__device__ __forceinline__ void fenceAsyncProxy() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

} // namespace kimi
