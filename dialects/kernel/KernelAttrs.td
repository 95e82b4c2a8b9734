#ifndef KERNEL_ATTRS
#define KERNEL_ATTRS

include "dialects/kernel/KernelDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

// Mirrors enum DimSymbol of runtime/schema/artifact.fbs, value by value (compiler/emit asserts it).
def Kernel_DimSymbol : I32EnumAttr<"DimSymbol", "a size known only when a step runs", [
    I32EnumAttrCase<"one", 0>, I32EnumAttrCase<"tokens", 1>, I32EnumAttrCase<"sequences", 2>,
    I32EnumAttrCase<"logit_rows", 3>, I32EnumAttrCase<"table_blocks", 4>, I32EnumAttrCase<"cache_blocks", 5>,
    I32EnumAttrCase<"bias_entries", 6>, I32EnumAttrCase<"penalty_entries", 7>,
    I32EnumAttrCase<"context_tokens", 8>]> {
  let cppNamespace = "::kimi::kernel";
  let genSpecializedAttr = 0;
}

def Kernel_LayoutKind : I32EnumAttr<"LayoutKind", "how a weight lies in memory", [
    I32EnumAttrCase<"row_major", 0>, I32EnumAttrCase<"panel", 1>, I32EnumAttrCase<"strided", 2>]> {
  let cppNamespace = "::kimi::kernel";
  let genSpecializedAttr = 0;
}

class Kernel_Attr<string name, string mnemonic_> : AttrDef<Kernel_Dialect, name> { let mnemonic = mnemonic_; }

def Kernel_ExtentAttr : Kernel_Attr<"Extent", "extent"> {
  let summary = "A run-time size: ceil(symbol * multiplier / divisor)";
  let description = [{
    Stands for one `?` of a tensor type, or for one grid dimension.
    Example: `#kernel.extent<tokens * 8 by 1>` is the rows of 8 expert assignments per token.
  }];
  let parameters = (ins EnumParameter<Kernel_DimSymbol>:$symbol, "int64_t":$multiplier, "int64_t":$divisor);
  let assemblyFormat = "`<` $symbol `*` $multiplier `by` $divisor `>`";
  let builders = [AttrBuilder<(ins "DimSymbol":$symbol, CArg<"int64_t", "1">:$multiplier,
                                   CArg<"int64_t", "1">:$divisor), [{
    return $_get($_ctxt, symbol, multiplier, divisor);
  }]>];
  let skipDefaultBuilders = 1;
}

def Kernel_LayoutAttr : Kernel_Attr<"Layout", "layout"> {
  let summary = "How a weight [.., N, K] lies in memory";
  let description = [{
    `row_major`: as in the checkpoint. `panel, 16`: [.., N/16, K, 16], so that 16 neighbouring output columns fill
    the lanes of a vector and K runs sequentially: every output element is summed in one order, in every kernel.
    `strided, P`: as in a checkpoint where other rows lie between those of the weight: [.., P, K], of whose P rows N are
    the weight's. Kernels take the slice; nothing is copied (`--weights=reference`).
    Values of 4 bits lie in pairs along K, the even one in the low half of a byte: K / 2 bytes for K values.
    Example: `#kernel.layout<panel, 16>`
  }];
  let parameters = (ins EnumParameter<Kernel_LayoutKind>:$kind, "int64_t":$width);
  let assemblyFormat = "`<` $kind `,` $width `>`";
  let extraClassDeclaration = [{
    /// `logical` as it lies in memory; nothing where its columns do not fill whole panels, its rows
    /// are more than the stride's, or its values no whole bytes.
    std::optional<::mlir::RankedTensorType> physicalType(::mlir::RankedTensorType logical) const;
  }];
}

def Kernel_ImplAttr : Kernel_Attr<"Impl", "impl"> {
  let summary = "Which implementation serves a kernel, and its parameters";
  let description = [{ Example: `#kernel.impl<"generated", {tile = [32, 64]}>` }];
  let parameters = (ins "::mlir::StringAttr":$name, "::mlir::DictionaryAttr":$parameters);
  let assemblyFormat = "`<` $name `,` $parameters `>`";
}

def Kernel_CostTermAttr : Kernel_Attr<"CostTerm", "cost_term"> {
  let summary = "min(symbol * multiplier, cap) * amount; cap 0 = none";
  let parameters = (ins EnumParameter<Kernel_DimSymbol>:$symbol, "int64_t":$multiplier, "int64_t":$cap,
                        "int64_t":$amount);
  let assemblyFormat = "`<` $symbol `*` $multiplier `cap` $cap `each` $amount `>`";
}

def Kernel_CostAttr : Kernel_Attr<"Cost", "cost"> {
  let summary = "What one launch moves (bytes) and computes (FLOPs), as sums of cost terms";
  let description = [{
    Example: `#kernel.cost<bytes = [#kernel.cost_term<tokens * 1 cap 0 each 512>], flops = []>`
  }];
  let parameters = (ins "::mlir::ArrayAttr":$bytes, "::mlir::ArrayAttr":$flops);
  let assemblyFormat = "`<` `bytes` `=` $bytes `,` `flops` `=` $flops `>`";
}

def Kernel_TensorMapAttr : Kernel_Attr<"TensorMap", "tensor_map"> {
  let summary = "How a GPU's copy engine reads one argument of a launch, tile by tile";
  let description = [{
    Sizes are innermost first, in elements: `shape` of #kernel.extent, `box` of one tile. `strides`: bytes, of every
    dimension but the innermost. `swizzle`: the span in bytes within which a tile's rows are permuted in shared memory
    (CUDA driver API, cuTensorMapEncodeTiled). Elements outside read as zero.

    (C1) `box` has as many sizes as `shape`, `strides` one less. (C2) `shape` holds #kernel.extent.
    (C3) `swizzle` is 0, 32, 64 or 128.

    Example: `#kernel.tensor_map<argument 1 : bf16, shape [#kernel.extent<one * 64 by 1>, #kernel.extent<tokens * 1 by 1>],
    strides [128], box [64, 8], swizzle 128>`
  }];
  let parameters = (ins "int64_t":$argument, "::mlir::Type":$type, "::mlir::ArrayAttr":$shape,
                        "::mlir::DenseI64ArrayAttr":$strides, "::mlir::DenseI64ArrayAttr":$box, "int64_t":$swizzle);
  let assemblyFormat = [{
    `<` `argument` $argument `:` $type `,` `shape` $shape `,` `strides` $strides `,` `box` $box `,` `swizzle` $swizzle `>`
  }];
  let genVerifyDecl = 1;
}

def Kernel_LaunchAttr : Kernel_Attr<"Launch", "launch"> {
  let summary = "What a launch on a GPU needs beside its grid";
  let description = [{
    `threads` and `shared_bytes` (dynamic shared memory) of one block; `cluster`: blocks that run together;
    `programmatic`: the kernel itself waits for its predecessor; `tensor_maps` (#kernel.tensor_map) follow the arguments.

    (C1) `tensor_maps` holds #kernel.tensor_map.

    Example: `#kernel.launch<threads = 384, shared_bytes = 4096, cluster = 2, programmatic = true>`
  }];
  let parameters = (ins "int64_t":$threads, "int64_t":$shared_bytes, DefaultValuedParameter<"int64_t", "1">:$cluster,
                        DefaultValuedParameter<"bool", "false">:$programmatic,
                        OptionalParameter<"::mlir::ArrayAttr">:$tensor_maps);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Kernel_MatrixProductAttr : Kernel_Attr<"MatrixProduct", "matrix_product"> {
  let summary = "A launch that is no kernel but a library's matrix product";
  let description = [{
    result[t, n] = sum over k < depth of activations[t, k] * weight[n, k], n < columns; all row-major. Sums are f32, and
    rounded once where the result is bf16. The launch's grid is the number of rows t. Numbers are those of the launch's
    arguments; `workspace` is memory that the library may write as it likes.

    (C1) the four arguments differ and are no negative numbers. (C2) operands are bf16, the result is f32 or bf16.
    (C3) columns, depth and the bytes of the workspace are positive.

    Example: `#kernel.matrix_product<activations 0 : bf16, weight 1 : bf16, result 2 : f32, workspace 3 bytes 1024,
    columns 96, depth 256>`
  }];
  let parameters = (ins "int64_t":$activations, "::mlir::Type":$activationType, "int64_t":$weight,
                        "::mlir::Type":$weightType, "int64_t":$result, "::mlir::Type":$resultType,
                        "int64_t":$workspace, "int64_t":$workspaceBytes, "int64_t":$columns, "int64_t":$depth);
  let assemblyFormat = [{
    `<` `activations` $activations `:` $activationType `,` `weight` $weight `:` $weightType `,` `result` $result `:`
    $resultType `,` `workspace` $workspace `bytes` $workspaceBytes `,` `columns` $columns `,` `depth` $depth `>`
  }];
  let genVerifyDecl = 1;
}

#endif
