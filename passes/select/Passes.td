#ifndef SELECT_PASSES
#define SELECT_PASSES

include "mlir/Pass/PassBase.td"

def PeelProducts : Pass<"kimi-peel-products", "::mlir::ModuleOp"> {
  let summary = "Split kernels of several matrix products into kernels of one, where a template could serve them";
  let description = [{
    A template computes one product, or two that differ in the weight alone. Where the target has one that may serve
    (`kimi.overrides` can forbid it), all other products of a kernel but the last become kernels of their own; their sums stay f32,
    so nothing is rounded that was not before. Does nothing for targets without templates.

    Before: `%y = kernel.call @linear_add_64x32(%x, %w, %z, %v)`
    After: `%g = kernel.call @linear_64x32(%x, %w)`, `%y = kernel.call @linear_add_64x32(%z, %v, %g)`
  }];
  let dependentDialects = ["::kimi::kernel::KernelDialect"];
}

def SelectImplementation : Pass<"kimi-select-implementation", "::mlir::ModuleOp"> {
  let summary = "Choose an implementation and its parameters for every kernel";
  let description = [{
    Reads the module attribute `kimi.overrides` (["OP=NAME", ..], "*" for every operation): an operation that no kernel
    holds, or an implementation that does not exist or could serve no kernel, is an error that says what does. `generated`
    exists for every kernel; its parameter is the tile of the result that one task computes, 0 = the whole dimension.

    Where a template of the target accepts a kernel for the most rows that an entry has, the entry calls a copy of the
    kernel, NAME_uptoN, N the most rows that the copy serves; functions between the two are copied, too. Entries with
    the same choices share copies. Where people ask for a library, mixed entries of more than 128 rows call copies
    NAME_over128; what follows a product there, but a rounding to bf16, becomes a generated kernel OPERATIONS_N_over128.

    Before: `kernel.func private @linear_4x8(..) attributes {kernel.ops = ["linear"]}`
    After: `kernel.func private @linear_4x8(..) attributes {impl = #kernel.impl<"generated", {tile = array<i64: 32, 64>}>, ..}`
  }];
}

def JoinReaders : Pass<"kimi-join-readers", "::mlir::ModuleOp"> {
  let summary = "Join a template's kernel and the kernel that alone reads its result, where the template computes both";
  let description = [{
    Fusion has one root per kernel. A template may compute more behind its product than elementwise operations: maxima over 128
    columns, and so the quantisation of its result. Where a kernel with a template's implementation has one result, one
    generated kernel is all that reads it, and the template accepts both bodies as one (`kimi.overrides` can forbid it), the two
    become one kernel. Roundings between them stay. Nothing else changes: entries that run generated code call both.

    Before: `%y = kernel.call @linear_round_256x64_upto8(%x, %w)`, `%c:2 = kernel.call @quantise_256(%y)`
    After: `%c:2 = kernel.call @linear_round_quantise_256x64_upto8(%x, %w)`
  }];
  let dependentDialects = ["::kimi::kernel::KernelDialect"];
}

def SelectLayout : Pass<"kimi-select-layout", "::mlir::ModuleOp"> {
  let summary = "Give every weight the layout its kernels read best";
  let description = [{
    A weight [.., N, K] that every kernel reads as the transposed factor of a product, with N a multiple of 16, is
    stored in panels [.., N / 16, K, 16]; any other stays row-major. All entries share one layout per weight. Kernels
    are rewritten to the new shape, and the split column dimension is carried through their elementwise neighbours.

    With the module attribute `kimi.weights = "reference"`, weights stay where the checkpoint has them: row-major, or
    strided where only some rows of a tensor (`rows`), or the matrices of experts `kimi.pitch` rows apart, are wanted;
    kernels then take the slice. Two weights of one kernel's argument that lie differently are an error.

    Before: `kimi.weight @w : tensor<32x8xbf16> from "w"`
    After: `kimi.weight @w : tensor<32x8xbf16> from "w" layout #kernel.layout<panel, 16>`
  }];
  let dependentDialects = ["::kimi::kernel::KernelDialect"];
}

def EstimateCost : Pass<"kimi-estimate-cost", "::mlir::ModuleOp"> {
  let summary = "Write down the bytes and FLOPs of every kernel";
  let description = [{
    Bytes: every argument once, every result once; of a table or cache that is looked up, only what is looked up; of
    stacked expert weights at most one matrix per routed row. FLOPs: two per multiply-add of each product.

    Before: `kernel.func private @linear_4x8(..)`
    After: `.. attributes {cost = #kernel.cost<bytes = [..], flops = [..]>}`
  }];
}

#endif
