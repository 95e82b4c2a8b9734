#ifndef PLAN_OPS
#define PLAN_OPS

include "dialects/plan/PlanAttrs.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"

class Plan_Op<string mnemonic, list<Trait> traits = []> : Op<Plan_Dialect, mnemonic, traits>;

//===- what the steps refer to ------------------------------------------------------------------------------===//

def Plan_WeightOp : Plan_Op<"weight", [Symbol]> {
  let summary = "A weight as it lies in the artifact, and where its bytes come from";
  let description = [{
    `type` is the physical tensor of one layer, `packs` the logical one, `layout` how the second becomes the first.
    The rest says where `emit` finds the bytes, as in `kimi.weight`. File, offset and hash are known once they are
    packed: `emit` adds them to the artifact.

    (C1) `type` is `packs` in `layout`. (C2) exactly one of `source` and `rope` is present. (C3) all sizes are known
    and the element type is one of the schema's.

    Example:
    ```mlir
    plan.weight @moe.q_a_proj : tensor<6x256x16xbf16> packs tensor<96x256xbf16> layout <panel, 16>
        from "model.layers.{layer}.self_attn.q_a_proj.weight" layers 1 count 3
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<AnyRankedTensor>:$type,
                       TypeAttrOf<AnyRankedTensor>:$packs, Kernel_LayoutAttr:$layout, OptionalAttr<StrAttr>:$source,
                       OptionalAttr<Kimi_RopeAttr>:$rope, OptionalAttr<I64Attr>:$first_layer,
                       OptionalAttr<I64Attr>:$num_layers, OptionalAttr<I64Attr>:$experts,
                       OptionalAttr<Kimi_RowsAttr>:$rows, OptionalAttr<Kimi_QuantisedAttr>:$quantised);
  let assemblyFormat = [{
    $sym_name `:` $type `packs` $packs `layout` $layout (`from` $source^)? (`rope` $rope^)?
    (`layers` $first_layer^ `count` $num_layers)? (`experts` $experts^)? (`rows` $rows^)? (`quantised` $quantised^)?
    attr-dict
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::RankedTensorType getTensorType() { return ::llvm::cast<::mlir::RankedTensorType>(getType()); }
    ::mlir::RankedTensorType getLogicalType() { return ::llvm::cast<::mlir::RankedTensorType>(getPacks()); }
  }];
}

def Plan_CacheOp : Plan_Op<"cache", [Symbol]> {
  let summary = "A paged cache, over its layers";
  let description = [{
    Per layer [cache_blocks, 64, values]; the runtime chooses cache_blocks when it loads the artifact.
    (C1) the element type is one of the schema's.
    Example: `plan.cache @latent : !kimi.cache<48 x bf16> layers 4`
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<Kimi_CacheType>:$type, I64Attr:$num_layers);
  let assemblyFormat = "$sym_name `:` $type `layers` $num_layers attr-dict";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::kimi::model::CacheType getCacheType() { return ::llvm::cast<::kimi::model::CacheType>(getType()); }
  }];
}

def Plan_KernelOp : Plan_Op<"kernel", [Symbol]> {
  let summary = "A kernel: its symbol in the code file, who implements it, and what a launch costs";
  let description = [{
    Of a GPU's kernel: `code` is its cubin's file, beside the dump. With `product` nothing of ours runs: its launches are
    calls of the library that `impl` names.

    (C1) `product` stands without `code`.

    Example:
    ```mlir
    plan.kernel @linear_round_96x256 impl <"generated", {tile = [32, 64]}>
        cost <bytes = [#kernel.cost_term<tokens * 1 cap 0 each 704>], flops = []>
    plan.kernel @round_96 impl <"generated", {tile = [1]}> code "0123.cubin" launch <threads = 256, shared_bytes = 1024>
    plan.kernel @linear_96x256_over128 impl <"cublaslt", {workspace = 1024 : i64}>
        product <activations 0 : bf16, weight 1 : bf16, result 2 : f32, workspace 3 bytes 1024, columns 96, depth 256>
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Kernel_ImplAttr:$impl, OptionalAttr<Kernel_CostAttr>:$cost,
                       OptionalAttr<StrAttr>:$code, OptionalAttr<Kernel_LaunchAttr>:$launch,
                       OptionalAttr<Kernel_MatrixProductAttr>:$product);
  let assemblyFormat = [{
    $sym_name `impl` $impl (`cost` $cost^)? (`code` $code^ `launch` $launch)? (`product` $product^)? attr-dict
  }];
  let hasVerifier = 1;
}

//===- steps ------------------------------------------------------------------------------------------------===//

class Plan_StepListOp<string mnemonic> : Plan_Op<mnemonic, [Symbol, IsolatedFromAbove, NoTerminator, SingleBlock]> {
  let regions = (region SizedRegion<1>:$body);
}

def Plan_BlockOp : Plan_StepListOp<"block"> {
  let summary = "A list of launches that an entry runs layer by layer";
  let description = [{
    (C1) holds launches only. A block belongs to one entry: its offsets were computed for that entry's capacity.

    Example:
    ```mlir
    plan.block @moe_layer.decode_4 {
      plan.launch @rms_norm_256 grid [tokens] (arena 0 bytes 2048, weight @moe.input_norm) -> (arena 2048 bytes 2048)
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name);
  let assemblyFormat = "$sym_name attr-dict-with-keyword $body";
  let hasVerifier = 1;
}

def Plan_EntryOp : Plan_StepListOp<"entry"> {
  let summary = "One compiled token bucket: its capacity, its arena, its steps";
  let description = [{
    (C1) holds launches and calls only. (C2) a decode entry has as many tokens as sequences. (C3) the arena size is a
    multiple of 64 and every buffer of its launches ends inside it.

    Example:
    ```mlir
    plan.entry @decode_4 <decode> capacity <tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 64, bias_entries = 1200, penalty_entries = 16384> arena 4096 {
      plan.launch @embedding_640x256 grid [tokens] (input token_ids, weight @embedding) -> (arena 0 bytes 2048)
      plan.call @moe_layer.decode_4 layer 1
      plan.launch @linear_640x256 grid [logit_rows, 40] (arena 0 bytes 2048, weight @head) -> (output logits)
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Plan_EntryKindAttr:$kind, Plan_CapacityAttr:$capacity,
                       I64Attr:$arena_bytes);
  let assemblyFormat = [{
    $sym_name $kind `capacity` $capacity `arena` $arena_bytes attr-dict-with-keyword $body
  }];
  let hasVerifier = 1;
}

def Plan_LaunchOp : Plan_Op<"launch", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Runs a kernel over a grid of independent tasks";
  let description = [{
    The kernel receives the addresses of `reads`, then of `writes`. An argument is `arena OFFSET bytes SIZE`,
    `weight @W`, `input NAME`, `output NAME` or `cache @C`; caches stand among the reads also where they are written.
    The grid has one task per element of the product of its sizes; `tokens * 8 by 64` is ceil(tokens * 8 / 64),
    `20 by 4` is ceil(20 / 4).

    (C1) `kernel` names a `plan.kernel`. (C2) weights and caches name a `plan.weight` and a `plan.cache`.
    (C3) writes are `arena` or `output`. (C4) arena offsets are multiples of 64 and sizes are positive.
    (C5) what is written shares no byte with another argument. (C6) outside a block, weights have no layers.
    (C7) of a kernel with a `product`: the grid is one size, its rows; of the arguments that it names, the first two are
    read, `weight` is a weight of columns * depth elements, the others are written, the workspace in `arena` at a multiple of 256, as long as the product says.
    (C8) such a launch stands in no decode entry: those become graphs, which hold kernels only.

    Example:
    ```mlir
    plan.launch @linear_round_96x256 grid [tokens by 64, 6] (arena 0 bytes 2048, weight @moe.q_a_proj)
        -> (arena 2048 bytes 768)
    plan.launch @linear_96x256_over128 grid [tokens] (arena 0 bytes 262144, weight @moe.q_a_proj)
        -> (arena 262144 bytes 196608, arena 458752 bytes 1024)
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, TypedArrayAttrBase<Kernel_ExtentAttr, "extents">:$grid,
                       ArrayAttr:$reads, ArrayAttr:$writes);
  let assemblyFormat = [{
    $kernel `grid` custom<Grid>($grid) custom<Arguments>($reads) `->` custom<Arguments>($writes) attr-dict
  }];
  let hasVerifier = 1;
}

def Plan_CallOp : Plan_Op<"call", [HasParent<"EntryOp">, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Runs a block for one layer";
  let description = [{
    (C1) `block` names a `plan.block`. (C2) every weight and cache of the block that has layers has this one.
    (C3) every buffer of the block ends inside the entry's arena. (C4) a decode entry's block holds no launch of a kernel
    with a `product`.

    Example: `plan.call @moe_layer.decode_4 layer 1`
  }];
  let arguments = (ins FlatSymbolRefAttr:$block, I64Attr:$layer);
  let assemblyFormat = "$block `layer` $layer attr-dict";
}

#endif
