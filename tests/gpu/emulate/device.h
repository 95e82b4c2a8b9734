// What NVRTC gives a kernel's text without any header, in plain C++: built-in names, and PTX instructions as functions
// (Translate.cpp writes `asm("cvt.f32.f16 %0, %1;" : ..)` as ptx_cvt_f32_f16(..)). A name that is missing here is an
// error of the compilation that says so. No standard header is included: images are compiled by the dozen.
#pragma once

#include "Block.h"

#define __device__
#define __forceinline__ inline
#define __align__(bytes) alignas(bytes)
// A host compiler would keep what other threads write in registers across a barrier.
#define __restrict__

#define threadIdx (emulate::threadIndex)
#define blockIdx (emulate::blockIndex)
#define __syncthreads() emulate::barrier(__LINE__)
#define __shfl_xor_sync(mask, value, distance, width) emulate::shuffle(__LINE__, mask, value, distance, width)

namespace emulate {

template <typename To, typename From> inline To bitsOf(From from) {
  static_assert(sizeof(To) == sizeof(From), "the bits of one are those of the other");
  return __builtin_bit_cast(To, from);
}

template <typename T> inline T shuffle(int line, unsigned mask, T value, int distance, int width) {
  return bitsOf<T>(shuffleXor(line, mask, bitsOf<unsigned>(value), distance, width));
}

/// A fake driver marks addresses of device memory, so that nothing on the host follows one by mistake.
template <typename T> inline T *onHost(T *address) {
  constexpr auto deviceBit = static_cast<__UINTPTR_TYPE__>(1) << 62;
  return reinterpret_cast<T *>(reinterpret_cast<__UINTPTR_TYPE__>(address) & ~deviceBit);
}
template <typename T> inline T onHost(T value) { return value; }

/// Calls a kernel with the arguments whose addresses `parameters` holds.
template <typename... Args> inline void call(void (*kernel)(Args...), void *const *parameters) {
  struct Call {
    Call(void (*kernel)(Args...), Args... args) { kernel(args...); }
  };
  unsigned next = 0;
  Call{kernel, onHost(*static_cast<Args *>(parameters[next++]))...}; // braces: from left to right
}

/// Bytes of each of a kernel's parameters, then 0.
template <typename... Args> struct ParameterBytes {
  constexpr ParameterBytes(void (*)(Args...)) {}
  unsigned bytes[sizeof...(Args) + 1] = {sizeof(Args)..., 0};
};

} // namespace emulate

/// What an image exports. NAME_block runs one block and returns null, or what a GPU would not forgive. NAME and
/// NAME_parameters are what tests/runtime/fake_cuda calls: the block's threads are those of the launch bounds, and what
/// a GPU would not forgive ends the program.
#define EMULATE_EXPORT extern "C" __attribute__((visibility("default")))
#define EMULATE_IMAGE(NAME, THREADS)                                                                                   \
  EMULATE_EXPORT const char *NAME##_block(void *const *parameters, unsigned block, unsigned threads,                   \
                                          unsigned sharedBytes) {                                                      \
    static const emulate::Kernel kernel = {                                                                            \
        #NAME, THREADS, [](void *const *parameters) { emulate::call(emulatedKernel, parameters); }};                   \
    return emulate::runBlock(kernel, parameters, block, threads, sharedBytes);                                         \
  }                                                                                                                    \
  EMULATE_EXPORT void NAME(void **parameters, long block) {                                                            \
    emulate::endOnError(NAME##_block(parameters, static_cast<unsigned>(block), THREADS, emulate::kSharedBytes));       \
  }                                                                                                                    \
  EMULATE_EXPORT const emulate::ParameterBytes NAME##_parameters{emulatedKernel};

//===- built-in functions -----------------------------------------------------------------------------------------===//

inline float __int_as_float(int x) { return emulate::bitsOf<float>(x); }
inline float __uint_as_float(unsigned x) { return emulate::bitsOf<float>(x); }
inline int __float_as_int(float x) { return emulate::bitsOf<int>(x); }
inline unsigned __float_as_uint(float x) { return emulate::bitsOf<unsigned>(x); }
inline int __float2int_rn(float x) { return static_cast<int>(__builtin_rintf(x)); }

#define EMULATE_MIN_MAX(T)                                                                                             \
  inline T min(T a, T b) { return a < b ? a : b; }                                                                     \
  inline T max(T a, T b) { return a > b ? a : b; }
EMULATE_MIN_MAX(int)
EMULATE_MIN_MAX(unsigned)
EMULATE_MIN_MAX(long)
EMULATE_MIN_MAX(unsigned long)
EMULATE_MIN_MAX(long long)
EMULATE_MIN_MAX(unsigned long long)
#undef EMULATE_MIN_MAX
inline float min(float a, float b) { return __builtin_fminf(a, b); }
inline float max(float a, float b) { return __builtin_fmaxf(a, b); }

inline float expf(float x) { return __builtin_expf(x); }
inline float exp2f(float x) { return __builtin_exp2f(x); }
inline float logf(float x) { return __builtin_logf(x); }
inline float log2f(float x) { return __builtin_log2f(x); }
inline float sqrtf(float x) { return __builtin_sqrtf(x); }
inline float rsqrtf(float x) { return static_cast<float>(1.0 / __builtin_sqrt(static_cast<double>(x))); }
inline float tanhf(float x) { return __builtin_tanhf(x); }
inline float sinf(float x) { return __builtin_sinf(x); }
inline float cosf(float x) { return __builtin_cosf(x); }
inline float fabsf(float x) { return __builtin_fabsf(x); }
inline float floorf(float x) { return __builtin_floorf(x); }
inline float rintf(float x) { return __builtin_rintf(x); }
inline float fmaf(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline float fmaxf(float a, float b) { return __builtin_fmaxf(a, b); }
inline float fminf(float a, float b) { return __builtin_fminf(a, b); }

//===- PTX ISA 9.0: "Data Movement and Conversion Instructions: cvt", "Floating Point Instructions: max, min" ---===//

inline void ptx_max_NaN_f32(float &d, float a, float b) {
  d = a != a || b != b ? __uint_as_float(0x7fffffff) : __builtin_fmaxf(a, b);
}
inline void ptx_min_NaN_f32(float &d, float a, float b) {
  d = a != a || b != b ? __uint_as_float(0x7fffffff) : __builtin_fminf(a, b);
}

inline void ptx_cvt_f32_f16(float &d, unsigned short a) { d = static_cast<float>(emulate::bitsOf<_Float16>(a)); }

inline void ptx_cvt_rn_bf16_f32(unsigned short &d, float a) {
  const unsigned bits = __float_as_uint(a), below = bits & 0xffff;
  const bool roundsUp = below > 0x8000 || (below == 0x8000 && (bits >> 16 & 1));
  d = a != a ? 0x7fff : static_cast<unsigned short>((bits >> 16) + roundsUp);
}

namespace emulate {

// Not inlined: kernels convert in hundreds of places.
#define EMULATE_ONCE __attribute__((noinline)) inline

/// Sign, four bits of exponent with bias 7, three of mantissa; no infinity, all ones is NaN.
EMULATE_ONCE float valueOfE4m3(unsigned code) {
  const int exponent = code >> 3 & 15, mantissa = code & 7;
  const float magnitude = (code & 0x7f) == 0x7f ? __builtin_nanf("")
                          : exponent == 0       ? __builtin_ldexpf(mantissa, -9)
                                                : __builtin_ldexpf(8 + mantissa, exponent - 10);
  return code & 0x80 ? -magnitude : magnitude;
}

/// The nearest, ties to an even code; beyond 448 it is 448.
EMULATE_ONCE unsigned e4m3Of(float x) {
  const unsigned sign = __float_as_uint(x) >> 24 & 0x80;
  const float magnitude = __builtin_fabsf(x);
  if (x != x)
    return 0x7f;
  if (magnitude >= 448.0f)
    return sign | 0x7e;
  int exponent = -6; // of the smallest normal number: below it steps are the same
  while (exponent < 8 && magnitude >= __builtin_ldexpf(1.0f, exponent + 1))
    ++exponent;
  const int eighths = static_cast<int>(__builtin_rintf(__builtin_ldexpf(magnitude, 3 - exponent)));
  return sign | (eighths < 8 ? eighths : ((exponent + 7) << 3) + (eighths - 8)); // 16 eighths carry into the exponent
}

inline unsigned short halfOf(float x) { return bitsOf<unsigned short>(static_cast<_Float16>(x)); }

} // namespace emulate

inline void ptx_cvt_rn_f16x2_e4m3x2(unsigned &d, unsigned short a) {
  d = static_cast<unsigned>(emulate::halfOf(emulate::valueOfE4m3(a >> 8))) << 16 |
      emulate::halfOf(emulate::valueOfE4m3(a & 0xff));
}

inline void ptx_cvt_rn_satfinite_e4m3x2_f32(unsigned short &d, float a, float b) { // a is the upper half
  d = static_cast<unsigned short>(emulate::e4m3Of(a) << 8 | emulate::e4m3Of(b));
}
