// Between storage types and f32. Rounding is to nearest, ties to even; e4m3 saturates to 448.
namespace kimi {

__device__ __forceinline__ float toFloat(Bf16 value) {
  return __uint_as_float(static_cast<unsigned>(value.bits) << 16);
}

__device__ __forceinline__ Bf16 toBf16(float value) {
  unsigned short bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return {bits};
}

// Two values as they lie in memory: the first in the low half.
__device__ __forceinline__ unsigned toBf16Pair(float first, float second) {
  unsigned bits;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(second), "f"(first));
  return bits;
}

#if __CUDA_ARCH__ >= 890
__device__ __forceinline__ unsigned short toE4m3Pair(float first, float second) {
  unsigned short bits;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(bits) : "f"(second), "f"(first));
  return bits;
}
#endif

// Two e4m3 codes (bits 0..15) → two bf16, exactly. The exponent's bias differs by 120, so the codes' bits,
// moved, are the values times 2^-120, subnormal ones too; one multiplication puts that right. NaN codes
// become 480: the packer refuses them.
__device__ __forceinline__ unsigned widenE4m3Pair(unsigned codes) {
  const unsigned apart = __byte_perm(codes, 0, 0x1404); // each code in the high byte of its half
  const unsigned moved = (apart & 0x80008000u) | ((apart >> 4) & 0x07f007f0u);
  unsigned result; // * 2^120, and no addend: -0
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(result) : "r"(moved), "r"(0x7b807b80u), "r"(0x80008000u));
  return result;
}

} // namespace kimi
