// The kimi dialect: a model of the Kimi-K2 family as a person would draw it. See KimiOps.td.
#pragma once

#include "dialects/kernel/Kernel.h"

#include "dialects/kimi/KimiEnums.h.inc"

#include "dialects/kimi/KimiDialect.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/kimi/KimiAttrs.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/kimi/KimiTypes.h.inc"

namespace kimi::model {

/// How `fuse` treats an operation.
enum class FusionRole {
  Root,        // begins a kernel; elementwise neighbours may join it
  Elementwise, // joins the kernel of its producer or consumer
  Opaque,      // a kernel of its own, nothing joins
  Operand      // only another form of its operands: repeated in every kernel that reads it
};

/// The sizes behind the `?` of one value, in order.
using Extents = llvm::SmallVector<kernel::ExtentAttr>;

/// Every result of `op` takes as many extents of operand `index` as it has `?`.
llvm::SmallVector<Extents> dimsOfOperand(mlir::Operation *op, llvm::ArrayRef<Extents> operandDims, unsigned index);

/// Type and sizes of the step inputs and outputs, as runtime/schema/artifact.fbs lists them.
mlir::RankedTensorType stepInputType(StepInput input, int64_t vocabulary, mlir::MLIRContext *context);
mlir::RankedTensorType stepOutputType(StepOutput output, int64_t vocabulary, mlir::MLIRContext *context);
Extents stepInputDims(StepInput input, mlir::MLIRContext *context);
Extents stepOutputDims(StepOutput output, mlir::MLIRContext *context);

/// The memref a kernel sees for one layer of a cache: [?, 64, values].
mlir::MemRefType cacheMemRef(CacheType cache);

/// Module attributes: all state that steers the pipeline, so that every dump re-enters.
inline constexpr llvm::StringLiteral kTargetAttr = "kimi.target";       // "cpu:x86-64-v3"
inline constexpr llvm::StringLiteral kNumericsAttr = "kimi.numerics";   // "f32", "bf16", "w8a16", .. (import/README.md)
inline constexpr llvm::StringLiteral kMeshAttr = "kimi.mesh";           // ranks, i64
inline constexpr llvm::StringLiteral kSourceAttr = "kimi.source";       // checkpoint directory
inline constexpr llvm::StringLiteral kOverridesAttr = "kimi.overrides"; // ["OP=NAME", ..]
inline constexpr llvm::StringLiteral kOptionsAttr = "kimi.options";     // {max_tokens = .., ..}
inline constexpr llvm::StringLiteral kModelAttr = "kimi.model";         // {name, vocabulary, hidden, layers, context}
inline constexpr llvm::StringLiteral kPhaseAttr = "kimi.phase";         // the last phase that ran
inline constexpr llvm::StringLiteral kWeightsAttr = "kimi.weights";     // "random", "reference"; without it "packed"
inline constexpr llvm::StringLiteral kSeedAttr = "kimi.seed";           // of random weights, i64
inline constexpr llvm::StringLiteral kLayersAttr = "kimi.layers";       // "2 of 61", where some are left out
/// On kimi.weight: rows from one expert's matrix to the next in the checkpoint, where that is always the same, i64.
inline constexpr llvm::StringLiteral kPitchAttr = "kimi.pitch";
/// On entry functions, after `specialise`.
inline constexpr llvm::StringLiteral kEntryAttr = "kimi.entry";

} // namespace kimi::model

#include "dialects/kimi/KimiInterfaces.h.inc"

#define GET_OP_CLASSES
#include "dialects/kimi/KimiOps.h.inc"
