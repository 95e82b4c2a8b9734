// Hand-written functors, one per splice class of skinny_gemm: they stand in for generated code in tests.
#pragma once

#include "compiler/kernels/cuda/SkinnyGemm.h"

#include <string>

namespace kimi::gpu {

/// store: bf16 (element) · residual: bf16 sum (element, width 4) · swiglu: of interleaved gate and up rows
/// (pair) · quantise: e4m3 with a scale per 128 (block) · argmax: of a whole row (row) · twin_swiglu: of two weights (pair) ·
/// twin_quantise: of these, e4m3 with a scale per 128 (block of 256).
cuda::Splice sampleEpilogue(const std::string &name);

/// Whether it is for products with two weights.
bool sampleHasTwins(const std::string &epilogue);

/// none · scale: x[t, k] * factors[k] (element).
cuda::Splice samplePrologue(const std::string &name);

} // namespace kimi::gpu
