// What skinny_gemm_bench needs on the device beside the kernels under test: random data, and products in
// double precision, as plainly as can be. Compiled without headers; shares nothing with the template.

__device__ unsigned mixed(unsigned long long value) {
  value += 0x9e3779b97f4a7c15ull;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ull;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebull;
  return static_cast<unsigned>((value ^ (value >> 31)) >> 32);
}

__device__ float normal(unsigned long long seed, unsigned long long index) {
  const float u = (mixed(seed * 0x100000001b3ull + 2 * index) + 1.0f) * 2.3283062e-10f;
  const float v = mixed(seed * 0x100000001b3ull + 2 * index + 1) * 2.3283064e-10f;
  return sqrtf(-2.0f * __logf(fminf(u, 1.0f))) * __cosf(6.2831853f * v);
}

// type 0: e4m3, normal * 96 · 1: bf16, normal · 2: f32, 0.5 .. 1.5 times `factor`
extern "C" __global__ void fill(void *out, long long count, int type, unsigned long long seed, float factor) {
  for (long long i = blockIdx.x * static_cast<long long>(blockDim.x) + threadIdx.x; i < count;
       i += static_cast<long long>(gridDim.x) * blockDim.x) {
    if (type == 0) {
      unsigned short code;
      asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(code) : "f"(0.0f), "f"(normal(seed, i) * 96.0f));
      static_cast<unsigned char *>(out)[i] = static_cast<unsigned char>(code & 255);
    } else if (type == 1) {
      unsigned short bits;
      asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(normal(seed, i)));
      static_cast<unsigned short *>(out)[i] = bits;
    } else {
      static_cast<float *>(out)[i] = (0.5f + mixed(seed * 977 + i) * 2.3283064e-10f) * factor;
    }
  }
}

__device__ double decodeE4m3(unsigned char code) {
  const int exponent = code >> 3 & 15, mantissa = code & 7;
  const double magnitude = exponent ? ldexp(1.0 + mantissa / 8.0, exponent - 7) : ldexp(mantissa / 8.0, -6);
  return code & 128 ? -magnitude : magnitude;
}

__device__ double element(const void *values, int type, long long index) {
  if (type == 0)
    return decodeE4m3(static_cast<const unsigned char *>(values)[index]);
  return __uint_as_float(static_cast<unsigned>(static_cast<const unsigned short *>(values)[index]) << 16);
}

// out[t, n] and the sum of magnitudes; a warp per (n, t). Scale rows: `scaleRows[n]`; null scales: 1.
extern "C" __global__ void product(double *out, double *magnitudes, const void *weight, int weightType,
                                   const float *weightScales, const int *scaleRows, const void *tokens,
                                   int tokenType, const float *tokenScales, const float *factors, int columns,
                                   int depth) {
  const int n = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, t = blockIdx.y,
            chunks = (depth + 127) / 128;
  if (n >= columns)
    return;
  double sum = 0.0, magnitude = 0.0;
  for (int k = threadIdx.x % 32; k < depth; k += 32) {
    double w = element(weight, weightType, static_cast<long long>(n) * depth + k);
    double x = element(tokens, tokenType, static_cast<long long>(t) * depth + k);
    if (weightScales)
      w *= weightScales[scaleRows[n] * chunks + k / 128];
    if (tokenScales)
      x *= tokenScales[t * chunks + k / 128];
    if (factors) { // as the prologue: in f32, rounded to bf16
      unsigned short bits;
      asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(static_cast<float>(x) * factors[k]));
      x = __uint_as_float(static_cast<unsigned>(bits) << 16);
    }
    sum += w * x;
    magnitude += fabs(w * x);
  }
  for (int distance = 16; distance > 0; distance /= 2) {
    sum += __shfl_xor_sync(0xffffffffu, sum, distance);
    magnitude += __shfl_xor_sync(0xffffffffu, magnitude, distance);
  }
  if (threadIdx.x % 32 == 0) {
    out[static_cast<long long>(t) * columns + n] = sum;
    magnitudes[static_cast<long long>(t) * columns + n] = magnitude;
  }
}
