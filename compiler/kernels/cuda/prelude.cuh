// What every generated kernel begins with: names of types and the few conversions that C++ has no operator for.
// Nothing is included, so that NVRTC needs no header at hand. PTX instructions by their names in the PTX ISA.

typedef signed char i8;
typedef short i16;
typedef long long i64;
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned u32;
typedef unsigned long long u64;
typedef i64 index_t;

// Literals are int.
__device__ inline index_t min(index_t a, int b) { return a < b ? a : b; }
__device__ inline index_t min(int a, index_t b) { return a < b ? a : b; }
__device__ inline index_t max(index_t a, int b) { return a > b ? a : b; }
__device__ inline index_t max(int a, index_t b) { return a > b ? a : b; }

// Storage types. Arithmetic is in float: kernels convert where they load and store.
struct bf16 {
  unsigned short bits;
};
struct f8e4m3 {
  u8 bits;
};

/// Neighbouring elements, loaded together: 16 bytes at a time where there are so many.
template <typename T, int N> struct alignas(N * sizeof(T) < 16 ? N * sizeof(T) : 16) vec {
  T at[N];
};

__device__ inline float to_f32(bf16 x) { return __uint_as_float(static_cast<unsigned>(x.bits) << 16); }

__device__ inline bf16 to_bf16(float x) { // to nearest even
  bf16 result;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(result.bits) : "f"(x));
  return result;
}

__device__ inline float half_to_f32(unsigned short half) {
  float result;
  asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(half));
  return result;
}

#if __CUDA_ARCH__ >= 890
__device__ inline float to_f32(f8e4m3 x) {
  unsigned pair;
  asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(pair) : "h"(static_cast<unsigned short>(x.bits)));
  return half_to_f32(static_cast<unsigned short>(pair));
}

__device__ inline f8e4m3 to_f8e4m3(float x) { // to nearest even; beyond 448 it is 448
  unsigned short pair;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(pair) : "f"(0.0f), "f"(x));
  return f8e4m3{static_cast<u8>(pair)};
}
#else
// e4m3 is f16 with three bits less of mantissa and an exponent whose bias is 8 lower: times 2^8, all values but NaN.
__device__ inline float to_f32(f8e4m3 x) {
  const unsigned magnitude = x.bits & 0x7f;
  const unsigned short half = static_cast<unsigned short>((x.bits & 0x80) << 8 | magnitude << 7);
  return magnitude == 0x7f ? __uint_as_float(0x7fc00000) : half_to_f32(half) * 256.0f;
}

__device__ inline f8e4m3 to_f8e4m3(float x) { // to nearest even; beyond 448 it is 448
  const unsigned bits = __float_as_uint(x), sign = bits >> 24 & 0x80;
  const float magnitude = __uint_as_float(bits & 0x7fffffff);
  if (!(magnitude == magnitude))
    return f8e4m3{static_cast<u8>(sign | 0x7f)};
  if (magnitude >= 448.0f)
    return f8e4m3{static_cast<u8>(sign | 0x7e)};
  if (magnitude < 0.015625f) // subnormal: multiples of 2^-9
    return f8e4m3{static_cast<u8>(sign | static_cast<unsigned>(__float2int_rn(magnitude * 512.0f)))};
  const unsigned rounded = __float_as_uint(magnitude) + 0x7ffff + (__float_as_uint(magnitude) >> 20 & 1);
  return f8e4m3{static_cast<u8>(sign | ((rounded >> 20) - (120 << 3)))};
}
#endif

// IEEE 754-2019 maximum and minimum: NaN if either is.
__device__ inline float maximum(float a, float b) {
  float result;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
  return result;
}
__device__ inline float minimum(float a, float b) {
  float result;
  asm("min.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
  return result;
}
