// Warp matrix products (mma.sync, sm_80 on): D[16, 8] += A[16, 16] * B[16, 8], bf16 operands, f32 sums, all
// in registers. Thread t of the warp holds of D the rows t / 4 and t / 4 + 8, columns 2 * (t % 4) and + 1: as
// a warp of wgmma does.
namespace kimi {

// Four (two) 8 x 8 matrices of 16-bit values: lanes 8 i .. 8 i + 7 give the addresses of the rows of matrix
// i.
__device__ __forceinline__ void loadMatrices(unsigned (&result)[4], unsigned address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(result[0]), "=r"(result[1]), "=r"(result[2]), "=r"(result[3])
               : "r"(address));
}
__device__ __forceinline__ void loadMatrices(unsigned (&result)[2], unsigned address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
               : "=r"(result[0]), "=r"(result[1])
               : "r"(address));
}

__device__ __forceinline__ void mmaBf16(float *d, const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

} // namespace kimi
