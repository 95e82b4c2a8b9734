#include "compiler/kernels/cuda/SkinnyGemmAmpere.h"
#include "compiler/kernels/cuda/SkinnyGemmText.h"

#include "llvm/Support/raw_ostream.h"

#include <algorithm>

namespace kimi::cuda {

namespace {

constexpr int mostSharedBytes = 163 * 1024; // of a block on sm_80
constexpr llvm::StringLiteral parts[] = {
    "ptx/types.cuh",          "ptx/convert.cuh",   "ptx/mbarrier.cuh",
    "ptx/async_copy.cuh",     "ptx/cluster.cuh",   "ptx/mma.cuh",
    "ptx/warp.cuh",           "splice.cuh",        "skinny_gemm_memory.cuh",
    "skinny_gemm_finish.cuh", "skinny_gemm_80.cuh"};

int ceilDivide(int64_t value, int64_t divisor) { return static_cast<int>((value + divisor - 1) / divisor); }

int sharedBytes(const SkinnyProblem &problem, const SkinnyParameters &p) {
  const int rows = 64 * p.rowTiles, weightBytes = problem.format == SkinnyFormat::bf16xBf16 ? 2 : 1;
  return std::max(p.weightStages * 128 * (rows * weightBytes + p.tokenTile * 2),
                  p.depthGroups * p.tokenTile * (rows + 4) * 4);
}

} // namespace

llvm::Expected<SkinnyParameters> chooseSkinnyAmpere(const SkinnyProblem &problem, const Splice &prologue,
                                                    const Splice &epilogue) {
  const auto refuse = [](const char *what) {
    return llvm::createStringError(llvm::inconvertibleErrorCode(), "skinny_gemm for sm_80 takes %s", what);
  };
  if (problem.format == SkinnyFormat::e4m3xE4m3)
    return refuse("bf16 activations: sm_80 has no e4m3 products; use profile w8a16");
  if (prologue.kind != SpliceClass::none)
    return refuse("no prologue: its copies pass no registers; peel it into a kernel of its own");
  SkinnyParameters p = {};
  p.tokenTile = problem.tokens <= 8    ? 8
                : problem.tokens <= 16 ? 16
                : problem.tokens <= 32 ? 32
                : problem.tokens <= 64 ? 64
                                       : 128;
  p.rowTiles = epilogue.kind == SpliceClass::block ? epilogue.width / 64
               : epilogue.kind == SpliceClass::row ? std::min(4, ceilDivide(problem.columns, 64))
                                                   : 1;
  p.depthGroups = p.rowTiles == 1 ? (p.tokenTile <= 32 ? 4 : 2) : 1; // more warps per byte where rows are few
  p.split = p.accumulators = p.residency = 1;
  p.tokenStages = 2; // unused, and valid
  for (p.weightStages = 6; p.weightStages > 2 && sharedBytes(problem, p) > mostSharedBytes / 2;
       --p.weightStages) {
  }
  if (llvm::Error error = checkSkinnyAmpere(problem, p, epilogue))
    return error;
  return p;
}

llvm::Error checkSkinnyAmpere(const SkinnyProblem &problem, const SkinnyParameters &p, const Splice &epilogue) {
  const auto refuse = [](const char *format, auto... values) {
    return llvm::createStringError(llvm::inconvertibleErrorCode(), format, values...);
  };
  if (problem.format == SkinnyFormat::e4m3xE4m3)
    return refuse("skinny_gemm for sm_80 takes bf16 activations: sm_80 has no e4m3 products; use profile w8a16");
  if (p.depthGroups < 1 || p.rowTiles < 1 || p.rowTiles * p.depthGroups > 8)
    return refuse("skinny_gemm for sm_80: row_tiles * depth_groups is 1 to 8, not %d * %d", p.rowTiles, p.depthGroups);
  if (p.weightStages < 2)
    return refuse("skinny_gemm for sm_80: weight_stages is at least 2, not %d", p.weightStages);
  if (const int bytes = sharedBytes(problem, p); bytes > mostSharedBytes)
    return refuse("skinny_gemm for sm_80 would need %d bytes of shared memory for %d rows and %d tokens, %d are there: take "
                  "fewer weight_stages, or an epilogue of fewer columns per block",
                  bytes, 64 * p.rowTiles, p.tokenTile, mostSharedBytes);
  SkinnyParameters checked = p; // what both architectures ask for
  checked.depthGroups = 1;
  return checkSkinny(problem, checked, {}, epilogue);
}

SkinnyLaunch skinnyLaunchAmpere(const SkinnyProblem &problem, const SkinnyParameters &p) {
  return {ceilDivide(problem.columns, 64 * p.rowTiles),
          128 * p.rowTiles * p.depthGroups,
          sharedBytes(problem, p),
          1,
          {}};
}

std::string skinnyTextAmpere(llvm::StringRef name, const SkinnyProblem &problem, const SkinnyParameters &p,
                             const Splice &epilogue, llvm::ArrayRef<std::string> order) {
  std::string text;
  llvm::raw_string_ostream os(text);
  const SkinnyLaunch launch = skinnyLaunchAmpere(problem, p);
  const bool scaled = problem.format != SkinnyFormat::bf16xBf16;
  printParts(os, parts);
  printShape(os, problem,
             {{"columns", problem.columns},
              {"depth", problem.depth},
              {"tokens", problem.tokens},
              {"tokenSymbol", problem.tokenSymbol},
              {"tokenTile", p.tokenTile},
              {"rowTiles", p.rowTiles},
              {"depthGroups", p.depthGroups},
              {"split", 1},
              {"stages", p.weightStages}});
  os << "\n"
     << epilogue.text << "\n\nstatic_assert(Memory80<Shape>::bytes == " << launch.sharedBytes << ");\n\n";
  printKernelHead(os, name, launch.threads, 1, argumentList(problem, {}, epilogue, /*maps=*/false, order));
  os << "  skinnyGemm80<Shape>(sharedMemory, dims, weight, " << (scaled ? "weightScales" : "nullptr")
     << ", activations, " << constructSplice("Epilogue", epilogue);
  if (problem.twins)
    os << ", twinWeight, " << (scaled ? "twinScales" : "nullptr");
  os << ");\n}\n\n} // namespace kimi\n";
  return text;
}

} // namespace kimi::cuda
