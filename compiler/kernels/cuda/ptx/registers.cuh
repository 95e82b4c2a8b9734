// Registers move from the warps that need few to those that need many. Every warp of a warpgroup calls it, in
// one branch of one if/else; ptxas heeds it only with __launch_bounds__(threads, blocks), else it warns
// (C7508).
namespace kimi {

template <int count> __device__ __forceinline__ void raiseRegisters() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(count));
}
template <int count> __device__ __forceinline__ void lowerRegisters() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(count));
}

} // namespace kimi
