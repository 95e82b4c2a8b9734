// The template skinny_gemm for sm_80 (skinny_gemm_80.cuh): bf16 activations, bf16 or e4m3 weights, mma.sync.
// Of the same use as SkinnyGemm.h; compiled and checked by its tests, never timed. Thread rule: plain
// functions.
#pragma once

#include "compiler/kernels/cuda/SkinnyGemm.h"

namespace kimi::cuda {

/// tokenTile, rowTiles, depthGroups and weightStages (the stages of its one ring) count; split and residency
/// are 1. Fails, naming what, where the template cannot serve: e4m3 activations, a prologue, a row epilogue
/// of more than 256 columns, more shared memory than 163 KiB.
llvm::Expected<SkinnyParameters> chooseSkinnyAmpere(const SkinnyProblem &problem, const Splice &prologue,
                                                    const Splice &epilogue);

/// Why these parameters or this epilogue are not possible; success if they are.
llvm::Error checkSkinnyAmpere(const SkinnyProblem &problem, const SkinnyParameters &parameters,
                              const Splice &epilogue);

/// No tensor maps, no cluster. Arguments, after dims: weight, [weight scales], activations, those of the
/// epilogue.
SkinnyLaunch skinnyLaunchAmpere(const SkinnyProblem &problem, const SkinnyParameters &parameters);

/// The whole source text of kernel `name`: NVRTC compiles it for sm_80 without any header.
std::string skinnyTextAmpere(llvm::StringRef name, const SkinnyProblem &problem,
                             const SkinnyParameters &parameters, const Splice &epilogue,
                             llvm::ArrayRef<std::string> order = {});

} // namespace kimi::cuda
