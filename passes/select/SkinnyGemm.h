// The template skinny_gemm as select and codegen see it: for both architectures, parameters as an attribute.
// Thread rule: plain functions.
#pragma once

#include "compiler/kernels/cuda/SkinnyGemm.h"
#include "passes/Target.h"

#include "mlir/IR/BuiltinAttributes.h"

namespace kimi::passes {

inline constexpr llvm::StringLiteral kSkinnyGemm = "skinny_gemm";

/// Parameters for `problem` with this epilogue; an error where the target's template cannot serve it.
llvm::Expected<cuda::SkinnyParameters> chooseSkinny(const CudaTarget &target, const cuda::SkinnyProblem &problem,
                                                    const cuda::Splice &epilogue);

/// {rows = 16, token_tile = 16, ..}: what #kernel.impl<"skinny_gemm", ..> holds.
mlir::DictionaryAttr toAttribute(mlir::MLIRContext *context, int64_t rows, const cuda::SkinnyParameters &parameters);

/// The way back: the most rows, and the parameters. An error names what is missing.
llvm::Expected<std::pair<int64_t, cuda::SkinnyParameters>> fromAttribute(mlir::DictionaryAttr attribute);

} // namespace kimi::passes
