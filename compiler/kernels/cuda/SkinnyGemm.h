// The template skinny_gemm (skinny_gemm.cuh): out[t, n] = sum over k of x[t, k] * w[n, k] for at most 128
// tokens, on sm_90a. What it accepts, which parameters it gets, how it is launched, and its source text.
// Thread rule: plain functions.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace kimi::cuda {

/// Types of weights and activations. Scales are f32: of e4m3 weights one per 128 x 128, of e4m3 activations
/// one per token and 128 of depth.
enum class SkinnyFormat {
  e4m3xE4m3, ///< weights e4m3, activations e4m3: profile w8a8-1x128
  e4m3xBf16, ///< weights e4m3 widened to bf16 in registers, activations bf16: profile w8a16
  bf16xBf16, ///< profile bf16
};

struct SkinnyProblem {
  int64_t columns; ///< N: rows of the weight [N, K], row-major; of twins, of both together
  int64_t depth;   ///< K
  int64_t tokens;  ///< the most tokens of a launch: the entry's capacity, 1 .. 128
  SkinnyFormat format;
  /// Rows of the weight that one 128-row grid of scales covers, each segment beginning with a scale row of
  /// its own; empty: one segment. q_a and kv_a in one weight: {1536, 576}.
  std::vector<int64_t> scaleSegments;
  int tokenSymbol = 1; ///< which of `dims` says how many tokens a step has (DimSymbol of runtime/schema)
  /// Two weights [N / 2, K], gate and up: column 2 j is row j of the first, 2 j + 1 row j of the second.
  bool twins = false;
};

/// Compile-time parameters; their meaning stands in skinny_gemm_memory.cuh.
struct SkinnyParameters {
  int tokenTile, rowTiles, depthGroups, split, weightStages, tokenStages, accumulators, successors, residency;
  int tokenRows = 0, tokenBlocks = 1, weightsFirst = 0, lead = 0;

  bool operator==(const SkinnyParameters &) const = default;
};

enum class SpliceClass { none, element, pair, block, row };

/// Generated code that becomes a functor of the template: see splice.cuh for what each class must define.
struct Splice {
  SpliceClass kind = SpliceClass::none;
  int width = 0;    ///< element and pair: values per call; block: the span
  std::string text; ///< defines `struct Prologue` or `struct Epilogue`
  /// Kernel arguments beside the template's own, as "const Bf16 *residual": the functor is built from them,
  /// in order.
  std::vector<std::string> arguments;
};

/// A tensor map as the artifact's schema describes it: sizes innermost first, in elements; strides in bytes.
struct SkinnyMap {
  int argument;
  int elementBytes;
  std::array<int64_t, 2> shape;
  int64_t stride;
  std::array<int, 2> box;
};

/// How the kernel is launched. Arguments, after dims: weight, [weight scales], [twin weight, [its scales]], activations,
/// [activation scales], those of the prologue, those of the epilogue, then the tensor maps (weight, [twin weight],
/// activations); all maps swizzle by 128 bytes.
struct SkinnyLaunch {
  int64_t grid;
  int threads, sharedBytes, cluster;
  std::vector<SkinnyMap> maps;
};

/// Parameters for `problem` on a device of so many multiprocessors: rules, no measurement at compile time.
/// Fails, naming the number, where the template cannot serve.
llvm::Expected<SkinnyParameters> chooseSkinny(const SkinnyProblem &problem, const Splice &prologue,
                                              const Splice &epilogue, int multiprocessors);

/// Why these parameters or splices are not possible; success if they are.
llvm::Error checkSkinny(const SkinnyProblem &problem, const SkinnyParameters &parameters,
                        const Splice &prologue, const Splice &epilogue);

/// Dynamic shared memory per block, in bytes. The same sum as Memory in skinny_gemm_memory.cuh: the text
/// asserts it.
int skinnySharedBytes(const SkinnyProblem &problem, const SkinnyParameters &parameters);

/// The launch of a checked choice.
SkinnyLaunch skinnyLaunch(const SkinnyProblem &problem, const SkinnyParameters &parameters,
                          const Splice &prologue);

/// The whole source text of kernel `name`: NVRTC compiles it for sm_90a without any header. With `order`, the names
/// of all arguments between dims and the tensor maps, they come in that order.
std::string skinnyText(llvm::StringRef name, const SkinnyProblem &problem, const SkinnyParameters &parameters,
                       const Splice &prologue, const Splice &epilogue,
                       llvm::ArrayRef<std::string> order = {});

} // namespace kimi::cuda
