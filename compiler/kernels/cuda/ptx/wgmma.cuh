// Warpgroup matrix products (wgmma): D[64, N] += A[64, K] * B[N, K], both operands K-major, D in f32 registers of
// four warps. K is 32 e4m3 or 16 bf16 (32 bytes). A and B lie in shared memory in rows of 128 bytes, swizzled by
// 128 bytes; or A is in registers. Thread t of the warpgroup holds of D the rows r = 16 * (t / 32) + (t % 32) / 4
// and r + 8, and of every 8 columns the two from c = 8 j + 2 * (t % 4) on:
//   D[4 j .. 4 j + 3] = (r, c), (r, c + 1), (r + 8, c), (r + 8, c + 1)
namespace kimi {

// Swizzled 128 bytes; 1024 bytes from one group of 8 rows to the next. `tile` is 1024-byte aligned; `offset`,
// a constant, adds 32 per step of K. The two words are built apart: one addition per product, instead of
// arithmetic in 64 bits.
__device__ __forceinline__ unsigned long long operandDescriptor(unsigned tile, unsigned offset) {
  const unsigned low = (tile >> 4) + (offset >> 4) + (1u << 16);
  unsigned long long descriptor;
  asm("mov.b64 %0, {%1, %2};" : "=l"(descriptor) : "r"(low), "r"((1u << 30) | 64u));
  return descriptor;
}

__device__ __forceinline__ void fenceWgmma() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void commitWgmma() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
// Waits until at most `pending` groups are under way.
template <int pending> __device__ __forceinline__ void waitWgmma() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(pending) : "memory");
}
// Tells the compiler that the tensor cores have written these registers: no reading before, no copy kept.
template <int count> __device__ __forceinline__ void holdRegisters(float (&values)[count]) {
#pragma unroll
  for (int index = 0; index < count; ++index)
    asm volatile("" : "+f"(values[index])::"memory");
}

// Operand lists: text %0 .. and constraints.
#define KIMI_TEXT_4 "%0, %1, %2, %3"
#define KIMI_TEXT_8 KIMI_TEXT_4 ", %4, %5, %6, %7"
#define KIMI_TEXT_16 KIMI_TEXT_8 ", %8, %9, %10, %11, %12, %13, %14, %15"
#define KIMI_TEXT_32                                                                                         \
  KIMI_TEXT_16                                                                                               \
  ", %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define KIMI_TEXT_64                                                                                         \
  KIMI_TEXT_32                                                                                               \
  ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47"                         \
  ", %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define KIMI_D_4(d, i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define KIMI_D_8(d, i) KIMI_D_4(d, i), KIMI_D_4(d, i + 4)
#define KIMI_D_16(d, i) KIMI_D_8(d, i), KIMI_D_8(d, i + 8)
#define KIMI_D_32(d, i) KIMI_D_16(d, i), KIMI_D_16(d, i + 16)
#define KIMI_D_64(d, i) KIMI_D_32(d, i), KIMI_D_32(d, i + 32)

// One overload per width: `count` registers = N / 2. `a`, `b`, `p` .. are the numbers of the operands after
// D.
#define KIMI_WGMMA_E4M3(n, count, a, b, p)                                                                   \
  __device__ __forceinline__ void wgmmaE4m3(float(&d)[count], unsigned long long left,                       \
                                            unsigned long long right, int accumulate) {                      \
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" #p ", 0;\n"                                            \
                 "wgmma.mma_async.sync.aligned.m64n" #n "k32.f32.e4m3.e4m3 {" KIMI_TEXT_##count              \
                 "}, %" #a ", %" #b ", p, 1, 1;\n}"                                                          \
                 : KIMI_D_##count(d, 0)                                                                      \
                 : "l"(left), "l"(right), "r"(accumulate));                                                  \
  }
#define KIMI_WGMMA_BF16(n, count, a, b, p)                                                                   \
  __device__ __forceinline__ void wgmmaBf16(float(&d)[count], unsigned long long left,                       \
                                            unsigned long long right, int accumulate) {                      \
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" #p ", 0;\n"                                            \
                 "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32.bf16.bf16 {" KIMI_TEXT_##count              \
                 "}, %" #a ", %" #b ", p, 1, 1, 0, 0;\n}"                                                    \
                 : KIMI_D_##count(d, 0)                                                                      \
                 : "l"(left), "l"(right), "r"(accumulate));                                                  \
  }
// A in registers: rows as of D, of every 16 of K the two from 2 * (t % 4) and the two 8 further: (row, k),
// (row + 8, k), (row, k + 8), (row + 8, k + 8).
#define KIMI_WGMMA_BF16_REGISTERS(n, count, a0, a1, a2, a3, b, p)                                            \
  __device__ __forceinline__ void wgmmaBf16(float(&d)[count], const unsigned(&left)[4],                      \
                                            unsigned long long right, int accumulate) {                      \
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" #p ", 0;\n"                                            \
                 "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32.bf16.bf16 {" KIMI_TEXT_##count              \
                 "}, {%" #a0 ", %" #a1 ", %" #a2 ", %" #a3 "}, %" #b ", p, 1, 1, 0;\n}"                      \
                 : KIMI_D_##count(d, 0)                                                                      \
                 : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "l"(right), "r"(accumulate));     \
  }

KIMI_WGMMA_E4M3(8, 4, 4, 5, 6)
KIMI_WGMMA_E4M3(16, 8, 8, 9, 10)
KIMI_WGMMA_E4M3(32, 16, 16, 17, 18)
KIMI_WGMMA_E4M3(64, 32, 32, 33, 34)
KIMI_WGMMA_E4M3(128, 64, 64, 65, 66)
KIMI_WGMMA_BF16(8, 4, 4, 5, 6)
KIMI_WGMMA_BF16(16, 8, 8, 9, 10)
KIMI_WGMMA_BF16(32, 16, 16, 17, 18)
KIMI_WGMMA_BF16(64, 32, 32, 33, 34)
KIMI_WGMMA_BF16(128, 64, 64, 65, 66)
KIMI_WGMMA_BF16_REGISTERS(8, 4, 4, 5, 6, 7, 8, 9)
KIMI_WGMMA_BF16_REGISTERS(16, 8, 8, 9, 10, 11, 12, 13)
KIMI_WGMMA_BF16_REGISTERS(32, 16, 16, 17, 18, 19, 20, 21)
KIMI_WGMMA_BF16_REGISTERS(64, 32, 32, 33, 34, 35, 36, 37)
KIMI_WGMMA_BF16_REGISTERS(128, 64, 64, 65, 66, 67, 68, 69)

} // namespace kimi
