#include "tests/gpu/SkinnySamples.h"

namespace kimi::gpu {

using cuda::Splice;
using cuda::SpliceClass;

namespace {

const char *store = R"(struct Epilogue {
  static constexpr Splice kind = Splice::element;
  static constexpr int width = 4;
  Bf16 *out;
  __device__ void operator()(int token, int column, const float (&values)[4]) const {
    *reinterpret_cast<uint2 *>(out + (token * Shape::columns + column)) =
        make_uint2(toBf16Pair(values[0], values[1]), toBf16Pair(values[2], values[3]));
  }
};)";

const char *residual = R"(struct Epilogue {
  static constexpr Splice kind = Splice::element;
  static constexpr int width = 4;
  uint2 *out;
  const Bf16 *addend;
  __device__ void operator()(int token, int column, const float (&values)[4]) const {
    const long long at = static_cast<long long>(token) * Shape::columns + column;
    float sums[4];
    for (int index = 0; index < 4; ++index)
      sums[index] = values[index] + toFloat(addend[at + index]);
    out[at / 4] = make_uint2(toBf16Pair(sums[0], sums[1]), toBf16Pair(sums[2], sums[3]));
  }
};)";

const char *swiglu = R"(struct Epilogue {
  static constexpr Splice kind = Splice::pair;
  static constexpr int width = 4;
  unsigned *out;
  __device__ static float gated(float gate, float up) { return gate / (1.0f + __expf(-gate)) * up; }
  __device__ void operator()(int token, int column, const float (&values)[4]) const {
    out[(static_cast<long long>(token) * Shape::columns / 2 + column / 2) / 2] =
        toBf16Pair(gated(values[0], values[1]), gated(values[2], values[3]));
  }
};)";

const char *quantise = R"(struct Epilogue {
  static constexpr Splice kind = Splice::block;
  static constexpr int span = 128;
  unsigned *out;
  float *scales;
  __device__ void operator()(int token, int column, const float (&values)[4]) const {
    float most = 0.0f;
    for (float value : values)
      most = fmaxf(most, fabsf(value));
    const float scale = fmaxf(warpMax(most), 1e-10f) / 448.0f;
    const unsigned low = toE4m3Pair(values[0] / scale, values[1] / scale);
    const unsigned high = toE4m3Pair(values[2] / scale, values[3] / scale);
    out[(static_cast<long long>(token) * Shape::columns + column) / 4] = low | high << 16;
    if (column % 128 == 0)
      scales[token * (Shape::columns / 128) + column / 128] = scale;
  }
};)";

const char *twinQuantise = R"(struct Epilogue {
  static constexpr Splice kind = Splice::block;
  static constexpr int span = 256;
  unsigned *out;
  float *scales;
  __device__ void operator()(int token, int column, const float (&values)[8]) const {
    float gated[4], most = 0.0f;
    for (int index = 0; index < 4; ++index) {
      gated[index] = values[2 * index] / (1.0f + __expf(-values[2 * index])) * values[2 * index + 1];
      most = fmaxf(most, fabsf(gated[index]));
    }
    const float scale = fmaxf(warpMax(most), 1e-10f) / 448.0f;
    const unsigned low = toE4m3Pair(gated[0] / scale, gated[1] / scale);
    const unsigned high = toE4m3Pair(gated[2] / scale, gated[3] / scale);
    out[(static_cast<long long>(token) * Shape::columns / 2 + column / 2) / 4] = low | high << 16;
    if (column % 256 == 0)
      scales[token * (Shape::columns / 256) + column / 256] = scale;
  }
};)";

const char *argmax = R"(struct Epilogue {
  static constexpr Splice kind = Splice::row;
  int *out;
  __device__ void operator()(int token, const float *row) const {
    float most = -__int_as_float(0x7f800000);
    for (int column = threadIdx.x % 32; column < Shape::columns; column += 32)
      most = fmaxf(most, row[column]);
    most = warpMax(most);
    int best = Shape::columns;
    for (int column = Shape::columns - 1; column >= 0; --column)
      best = row[column] == most ? column : best;
    if (threadIdx.x % 32 == 0)
      out[token] = best;
  }
};)";

const char *scale = R"(struct Prologue {
  static constexpr Splice kind = Splice::element;
  const float *factors;
  __device__ float operator()(int, int k, float x) const { return x * factors[k]; }
};)";

} // namespace

Splice sampleEpilogue(const std::string &name) {
  if (name == "residual")
    return {SpliceClass::element, 4, residual, {"uint2 *out", "const Bf16 *addend"}};
  if (name == "twin_quantise")
    return {SpliceClass::block, 256, twinQuantise, {"unsigned *out", "float *scales"}};
  if (name == "swiglu" || name == "twin_swiglu")
    return {SpliceClass::pair, 4, swiglu, {"unsigned *out"}};
  if (name == "quantise")
    return {SpliceClass::block, 128, quantise, {"unsigned *out", "float *scales"}};
  if (name == "argmax")
    return {SpliceClass::row, 0, argmax, {"int *out"}};
  return {SpliceClass::element, 4, store, {"Bf16 *out"}};
}

bool sampleHasTwins(const std::string &epilogue) { return epilogue.starts_with("twin_"); }

Splice samplePrologue(const std::string &name) {
  if (name == "scale")
    return {SpliceClass::element, 0, scale, {"const float *factors"}};
  return {};
}

} // namespace kimi::gpu
