#include "compiler/kernels/cuda/SkinnyGemm.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>

namespace kimi::cuda {

namespace {

constexpr int chunkDepth = 128, mostSharedBytes = 227 * 1024;

int ceilDivide(int64_t value, int64_t divisor) { return static_cast<int>((value + divisor - 1) / divisor); }
int weightBytes(SkinnyFormat format) { return format == SkinnyFormat::bf16xBf16 ? 2 : 1; }
int tokenBytes(SkinnyFormat format) { return format == SkinnyFormat::e4m3xE4m3 ? 1 : 2; }

template <class... Values> llvm::Error refuse(const char *format, Values... values) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), format, values...);
}

llvm::Error checkProblem(const SkinnyProblem &problem) {
  if (problem.tokens < 1 || problem.tokens > 128)
    return refuse("skinny_gemm takes 1 to 128 tokens, not %lld: use another implementation for this entry",
                  static_cast<long long>(problem.tokens));
  if (problem.columns < 1 || problem.depth < 1)
    return refuse("skinny_gemm needs a weight that is not empty, not %lld x %lld",
                  static_cast<long long>(problem.columns), static_cast<long long>(problem.depth));
  const int weightStep = 16 / weightBytes(problem.format), tokenStep = 16 / tokenBytes(problem.format);
  if (problem.depth % std::max(weightStep, tokenStep) != 0)
    return refuse("skinny_gemm reads rows by tensor copies, whose strides are multiples of 16 bytes: depth "
                  "%lld is no multiple "
                  "of %d; use another implementation or pad the weight",
                  static_cast<long long>(problem.depth), std::max(weightStep, tokenStep));
  if (problem.twins && (problem.columns % 2 != 0 || !problem.scaleSegments.empty()))
    return refuse("skinny_gemm takes two weights of as many rows, each with one grid of scales, not %lld rows in %d segments: "
                  "use one weight",
                  static_cast<long long>(problem.columns), static_cast<int>(problem.scaleSegments.size()));
  int64_t covered = 0;
  for (int64_t segment : problem.scaleSegments) {
    if (covered % 64 != 0)
      return refuse("skinny_gemm has one scale per 64 rows of a tile: a segment that begins at row %lld cuts "
                    "one; pad the "
                    "segment before it to a multiple of 64",
                    static_cast<long long>(covered));
    covered += segment;
  }
  if (!problem.scaleSegments.empty() && covered != problem.columns)
    return refuse("skinny_gemm: the scale segments cover %lld rows, the weight has %lld",
                  static_cast<long long>(covered), static_cast<long long>(problem.columns));
  return llvm::Error::success();
}

llvm::Error checkSplices(const SkinnyProblem &problem, int rows, const Splice &prologue,
                         const Splice &epilogue) {
  const long long columns = problem.columns;
  if (prologue.kind != SpliceClass::none && prologue.kind != SpliceClass::element)
    return refuse("skinny_gemm takes an element prologue or none: peel this one into a kernel of its own");
  if (prologue.kind == SpliceClass::element && problem.format == SkinnyFormat::e4m3xE4m3)
    return refuse("skinny_gemm takes an element prologue on bf16 activations only: e4m3 codes have scales "
                  "that it would change");
  if (problem.twins && epilogue.kind != SpliceClass::pair && epilogue.kind != SpliceClass::block)
    return refuse("skinny_gemm passes sums of two weights to epilogues of class pair or block only: peel one of the products");
  switch (epilogue.kind) {
  case SpliceClass::none:
    return refuse(
        "skinny_gemm needs an epilogue that stores its sums: one of class element, pair, block or row");
  case SpliceClass::element:
  case SpliceClass::pair:
    if (epilogue.width != 2 && epilogue.width != 4 &&
        !(epilogue.width == 1 && epilogue.kind == SpliceClass::element))
      return refuse(
          "skinny_gemm passes 1, 2 or 4 values to an element epilogue, 2 or 4 to a pair epilogue, not %d",
          epilogue.width);
    if (columns % epilogue.width != 0)
      return refuse("skinny_gemm passes %d columns at a time: %lld is no multiple; take a narrower epilogue",
                    epilogue.width, columns);
    return llvm::Error::success();
  case SpliceClass::block:
    if (epilogue.width != 128 && epilogue.width != 256)
      return refuse("skinny_gemm passes spans of 128 or 256 columns to a block epilogue, not %d",
                    epilogue.width);
    if (columns % epilogue.width != 0 || rows % epilogue.width != 0)
      return refuse("skinny_gemm passes spans of %d columns: %lld columns in blocks of %d rows are no "
                    "multiple; peel the epilogue "
                    "or take more row tiles",
                    epilogue.width, columns, rows);
    return llvm::Error::success();
  case SpliceClass::row:
    if (columns > rows)
      return refuse("skinny_gemm passes whole rows only where one block has them: %lld columns, %d rows per "
                    "block; peel the "
                    "epilogue into a kernel of its own",
                    columns, rows);
    return llvm::Error::success();
  }
  llvm_unreachable("all classes are handled");
}

// Warpgroups that take the same chunk of depth.
int tiles(const SkinnyParameters &p) { return p.tokenRows ? p.tokenTile / 64 : p.rowTiles; }

// Tokens as the rows of the product, and their division among blocks.
llvm::Error checkTokens(const SkinnyProblem &problem, const SkinnyParameters &p) {
  if (!llvm::is_contained({8, 16, 32, 64, 128}, p.tokenTile) || p.tokenBlocks < 1 || p.tokenBlocks > 2 ||
      p.tokenTile * p.tokenBlocks < problem.tokens)
    return refuse("skinny_gemm: token_tile is 8, 16, 32, 64 or 128, token_blocks 1 or 2, and their product at least "
                  "the %lld tokens of the entry, not %d * %d",
                  static_cast<long long>(problem.tokens), p.tokenTile, p.tokenBlocks);
  if (p.tokenRows != 0 && p.tokenRows != 1)
    return refuse("skinny_gemm: token_rows is 0 or 1, not %d", p.tokenRows);
  if (p.tokenRows && (p.tokenTile < 64 || p.rowTiles > 2 || problem.format != SkinnyFormat::e4m3xE4m3))
    return refuse("skinny_gemm: token_rows = 1 takes e4m3 activations, token_tile 64 or 128 and row_tiles 1 or 2, "
                  "not format %d, %d and %d: take token_rows = 0",
                  static_cast<int>(problem.format), p.tokenTile, p.rowTiles);
  return llvm::Error::success();
}

llvm::Error checkRanges(const SkinnyProblem &problem, const SkinnyParameters &p) {
  if (llvm::Error error = checkTokens(problem, p))
    return error;
  if (p.rowTiles < 1 || p.rowTiles > 4 || p.depthGroups < 1 || tiles(p) * p.depthGroups > 6)
    return refuse(
        "skinny_gemm: row_tiles is 1 to 4 and warpgroups, tiles * depth_groups, at most 6, not %d and %d * %d",
        p.rowTiles, tiles(p), p.depthGroups);
  if (problem.twins && p.rowTiles == 3)
    return refuse("skinny_gemm: row_tiles is 1, 2 or 4 where a block has rows of two weights, not %d", p.rowTiles);
  const int chunks = ceilDivide(problem.depth, chunkDepth);
  if (p.split < 1 || p.split > 8 || p.split > chunks)
    return refuse(
        "skinny_gemm: split is at most 8 blocks of a cluster and at most %d chunks of depth, not %d", chunks,
        p.split);
  if (p.accumulators != 1 && p.accumulators != 2)
    return refuse("skinny_gemm: accumulators is 1 or 2, not %d", p.accumulators);
  // A warpgroup waits for the next chunk before it frees the one before.
  if (const int held = p.accumulators * p.depthGroups;
      std::min(p.weightStages, p.tokenStages) < std::max(held, 2))
    return refuse(
        "skinny_gemm: both rings need accumulators * depth_groups = %d stages, and 2, not %d and %d", held,
        p.weightStages, p.tokenStages);
  // A waiting warpgroup knows a phase by its parity: each stage must be its own in every round.
  if (p.weightStages % p.depthGroups != 0 || p.tokenStages % p.depthGroups != 0)
    return refuse("skinny_gemm: depth_groups = %d must divide both rings' stages, %d and %d", p.depthGroups,
                  p.weightStages, p.tokenStages);
  if (p.weightStages > 32 || p.tokenStages > 32)
    return refuse("skinny_gemm: rings have at most 32 stages, not %d and %d", p.weightStages, p.tokenStages);
  if (p.lead < 0 || p.lead > 32 || (p.lead > 0 && p.successors != 1))
    return refuse("skinny_gemm: lead is 0 to 32, and 0 unless successors is 1, not %d with successors %d", p.lead,
                  p.successors);
  if (p.weightsFirst < 0 || p.weightsFirst > p.weightStages)
    return refuse("skinny_gemm: weights_first is 0 to weight_stages = %d, not %d", p.weightStages,
                  p.weightsFirst);
  if (p.successors < 0 || p.successors > 2 || p.residency < 1 || p.residency > 4)
    return refuse("skinny_gemm: successors is 0 to 2 and residency 1 to 4, not %d and %d", p.successors,
                  p.residency);
  if (int bytes = skinnySharedBytes(problem, p); bytes > mostSharedBytes)
    return refuse("skinny_gemm: %d bytes of shared memory, %d are there: take fewer stages", bytes,
                  mostSharedBytes);
  return llvm::Error::success();
}

} // namespace

llvm::Error checkSkinny(const SkinnyProblem &problem, const SkinnyParameters &parameters,
                        const Splice &prologue, const Splice &epilogue) {
  if (llvm::Error error = checkProblem(problem))
    return error;
  if (llvm::Error error = checkRanges(problem, parameters))
    return error;
  return checkSplices(problem, 64 * parameters.rowTiles, prologue, epilogue);
}

int skinnySharedBytes(const SkinnyProblem &problem, const SkinnyParameters &p) {
  const int rows = 64 * p.rowTiles, mostChunks = ceilDivide(ceilDivide(problem.depth, chunkDepth), p.split);
  const int rings = chunkDepth * (p.weightStages * rows * weightBytes(problem.format) +
                                  p.tokenStages * p.tokenTile * tokenBytes(problem.format));
  const int partial = p.depthGroups * p.tokenTile * (rows + (p.tokenRows ? 8 : 4)) * 4;
  const int received = p.split > 1 ? p.split * ceilDivide(p.tokenTile, p.split) * rows * 4 : 0;
  const bool sendsLate = received > 8192; // then it takes the rings' place, too
  const int tokenScales = problem.format == SkinnyFormat::e4m3xE4m3 ? p.tokenStages * p.tokenTile * 4 : 0;
  const int scaleTiles = problem.twins && p.rowTiles == 1 ? 2 : p.rowTiles;
  const int weightScales =
      problem.format == SkinnyFormat::bf16xBf16 ? 0 : ceilDivide(scaleTiles * mostChunks * 4, 16) * 16;
  return std::max(rings, partial + (sendsLate ? received : 0)) + (sendsLate ? 0 : received) + tokenScales +
         weightScales + 8 * (2 * p.weightStages + 2 * p.tokenStages + 2);
}

SkinnyLaunch skinnyLaunch(const SkinnyProblem &problem, const SkinnyParameters &p, const Splice &prologue) {
  const int rows = 64 * p.rowTiles, weight = weightBytes(problem.format), token = tokenBytes(problem.format);
  SkinnyLaunch launch;
  launch.cluster = p.split;
  launch.grid = static_cast<int64_t>(ceilDivide(problem.columns, rows)) * p.tokenBlocks * p.split;
  launch.threads = 128 * tiles(p) * p.depthGroups + (prologue.kind == SpliceClass::none ? 128 : 256);
  launch.sharedBytes = skinnySharedBytes(problem, p);
  const int perWeight = problem.format == SkinnyFormat::bf16xBf16 ? 1 : 2, // arguments: the weight and its scales
      weights = problem.twins ? 2 : 1;
  for (int index = 0; index < weights; ++index)
    launch.maps.push_back({perWeight * index,
                           weight,
                           {problem.depth, problem.columns / weights},
                           problem.depth * weight,
                           {128 / weight, rows / weights}});
  launch.maps.push_back({perWeight * weights,
                         token,
                         {problem.depth, problem.tokens},
                         problem.depth * token,
                         {128 / token, p.tokenTile}});
  return launch;
}

} // namespace kimi::cuda
