#ifndef KERNEL_OPS
#define KERNEL_OPS

include "dialects/kernel/KernelAttrs.td"
include "dialects/kernel/KernelInterfaces.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/CallInterfaces.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/FunctionInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/TilingInterface.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"

class Kernel_Op<string mnemonic, list<Trait> traits = []> : Op<Kernel_Dialect, mnemonic, traits>;

def Kernel_FuncOp : Kernel_Op<"func", [FunctionOpInterface, IsolatedFromAbove, AutomaticAllocationScope]> {
  let summary = "One launch: a fused group and how it is implemented";
  let description = [{
    Arguments are tensors (read), results are tensors (written); a paged cache is a memref argument. Every `?` of an
    argument or result type is explained by its `kernel.dims` attribute, one `#kernel.extent` per `?`. Arguments
    that are weights carry `kernel.weight` with their logical type until `select` sets the physical one.
    `impl`, `cost` are absent before `select`.

    Example:
    ```mlir
    kernel.func @round(%x: tensor<?x8xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
        -> (tensor<?x8xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}) {
      %c0 = arith.constant 0 : index
      %n = tensor.dim %x, %c0 : tensor<?x8xf32>
      %init = tensor.empty(%n) : tensor<?x8xbf16>
      %y = linalg.generic {indexing_maps = [affine_map<(t, c) -> (t, c)>, affine_map<(t, c) -> (t, c)>],
                           iterator_types = ["parallel", "parallel"]}
          ins(%x : tensor<?x8xf32>) outs(%init : tensor<?x8xbf16>) {
      ^bb0(%a: f32, %b: bf16):
        %r = arith.truncf %a : f32 to bf16
        linalg.yield %r : bf16
      } -> tensor<?x8xbf16>
      kernel.return %y : tensor<?x8xbf16>
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<FunctionType>:$function_type,
                       OptionalAttr<StrAttr>:$sym_visibility,
                       OptionalAttr<DictArrayAttr>:$arg_attrs, OptionalAttr<DictArrayAttr>:$res_attrs,
                       OptionalAttr<Kernel_ImplAttr>:$impl, OptionalAttr<Kernel_CostAttr>:$cost);
  let regions = (region AnyRegion:$body);
  let builders = [OpBuilder<(ins "::llvm::StringRef":$name, "::mlir::FunctionType":$type)>];
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let skipDefaultBuilders = 1;
  let extraClassDeclaration = [{
    ::llvm::ArrayRef<::mlir::Type> getArgumentTypes() { return getFunctionType().getInputs(); }
    ::llvm::ArrayRef<::mlir::Type> getResultTypes() { return getFunctionType().getResults(); }
    ::mlir::Region *getCallableRegion() { return &getBody(); }
    /// The sizes behind the `?` of argument / result `index`, in order.
    ::llvm::SmallVector<ExtentAttr> getArgumentDims(unsigned index);
    ::llvm::SmallVector<ExtentAttr> getResultDims(unsigned index);
  }];
}

def Kernel_ReturnOp : Kernel_Op<"return", [Pure, Terminator, ReturnLike, HasParent<"FuncOp">]> {
  let summary = "Ends a kernel and names what it writes";
  let description = [{ Example: `kernel.return %y : tensor<?x8xbf16>` }];
  let arguments = (ins Variadic<AnyType>:$operands);
  let assemblyFormat = "attr-dict ($operands^ `:` type($operands))?";
  let hasVerifier = 1;
}

def Kernel_CallOp : Kernel_Op<"call", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Launches a kernel";
  let description = [{
    (C1) `callee` names a `kernel.func`. (C2) Operand and result types are those of the callee; where the callee
    takes a memref, the operand is the `!kimi.cache` behind it.
    Calls run in program order; those that write a cache are ordered by it.

    Example: `%y = kernel.call @round(%x) : (tensor<?x8xf32>) -> tensor<?x8xbf16>`
  }];
  let arguments = (ins FlatSymbolRefAttr:$callee, Variadic<AnyType>:$operands);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = "$callee `(` $operands `)` attr-dict `:` functional-type($operands, $results)";
}

class Kernel_StructuredOp<string mnemonic, list<Trait> traits = []>
    : Kernel_Op<mnemonic, traits # [DeclareOpInterfaceMethods<Kernel_LoopsOpInterface>]> {
  let hasVerifier = 1;
}

// Rows and columns are tiled like any elementwise consumer's, so groups around them fuse tile by tile.
defvar Kernel_TiledByResult = DeclareOpInterfaceMethods<TilingInterface, ["getLoopIteratorTypes", "getIterationDomain",
    "getTiledImplementation", "getResultTilePosition", "generateResultTileValue",
    "getIterationDomainTileFromResultTile"]>;

def Kernel_GroupedMatmulOp : Kernel_StructuredOp<"grouped_matmul", [Pure, DestinationStyleOpInterface,
    AllTypesMatch<["init", "result"]>, Kernel_TiledByResult]> {
  let summary = "Matrix products of row groups with one weight matrix each";
  let description = [{
    With a = first_row + r: out[r, n] = init[r, n] + sum over k of x[rows[r], k] * weight[e(a), n, k], where e(a) is
    the group of row a: offsets[e] <= a < offsets[e + 1]. Without `rows`, x's row is r itself. Sums run over k in
    order, in f32. `first_row` is 0 before tiling.

    x: [X, K]; rows: [A] i32; offsets: [E + 1] i32; weight: [E, N, K], or [E, N / 16, K, 16] in panel layout;
    init and result: [A, N] f32, or [A, N / 16, 16] with a panel weight.
    (C1) x and weight agree on K. (C2) offsets has one element more than weight has groups.
    (C3) init has weight's columns, laid out alike.

    Example:
    ```mlir
    %y = kernel.grouped_matmul %x rows %rows from %c0 offsets %offsets, %w into %init
        : tensor<?x64xbf16>, tensor<5xi32>, tensor<4x48x64xbf16>, tensor<?x48xf32>, tensor<?xi32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$x, Optional<AnyRankedTensor>:$rows, Index:$first_row,
                       AnyRankedTensor:$offsets, AnyRankedTensor:$weight, AnyRankedTensor:$init);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $x (`rows` $rows^)? `from` $first_row `offsets` $offsets `,` $weight `into` $init attr-dict
    `:` type($x) `,` type($offsets) `,` type($weight) `,` type($init) (`,` type($rows)^)?
  }];
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getInitMutable(); }
    bool isPanel() { return ::llvm::cast<::mlir::RankedTensorType>(getWeight().getType()).getRank() == 4; }
  }];
}

def Kernel_DequantiseOp : Kernel_Op<"dequantise", [Pure]> {
  let summary = "The values that a quantised weight stands for";
  let description = [{
    With codes in blocks of R x C (rows x columns): result[.., n, k] = f32(codes[.., n, k]) * scales[.., n / R, k / C],
    one rounding. f8E4M3FN codes are finite. Codes of 4 bits are stored plus 8: their value is the nibble minus 8.

    | | codes | result | scales, R = 1 | scales, R > 1 |
    |---|---|---|---|---|
    | row-major | [.., N, K] | [.., N, K] | [.., N, K / C] | [.., N / R, K / C] |
    | `panels` | [.., N / 16, K, 16] | [.., N / 16, K, 16] | [.., N / 16, K / C, 16] | [.., N / R, K / C] |

    Quotients round up: the last block may be smaller. i4 codes are i8 [.., N, K / 2] once they have a layout.
    It never runs alone: codegen narrows it to the tile that is read and merges it into the reader.

    (C1) the result is f32. (C2) codes are f8E4M3FN or i4 in the result's shape, or i8 with half as many values of K.
    (C3) there is one scale per block. (C4) with `panels`, R is 1 or a multiple of 16.

    Example:
    `%w = kernel.dequantise %c, %s blocks 128 x 128 : tensor<192x256xf8E4M3FN>, tensor<2x2xf32> -> tensor<192x256xf32>`
  }];
  let arguments = (ins AnyRankedTensor:$codes, AnyRankedTensor:$scales, I64Attr:$block_rows, I64Attr:$block_columns,
                       UnitAttr:$panels);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $codes `,` $scales `blocks` $block_rows `x` $block_columns (`panels` $panels^)? attr-dict
    `:` type($codes) `,` type($scales) `->` type($result)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Scales have one row per row of codes, and lie like them.
    bool hasRowScales() { return getBlockRows() == 1; }
    /// The same values of a slice of the result. An error where the slice cuts a block whose scale it shares.
    ::mlir::FailureOr<DequantiseOp> sliced(::mlir::OpBuilder &builder, ::mlir::tensor::ExtractSliceOp slice);
    /// Writes the operation as a linalg.generic before itself.
    ::mlir::linalg::GenericOp buildGeneric(::mlir::OpBuilder &builder);
  }];
}

def Kernel_PagedAttentionOp : Kernel_StructuredOp<"paged_attention", [MemoryEffects<[MemRead]>]> {
  let summary = "Online-softmax attention of every token over its own sequence's cached latents";
  let description = [{
    For token t at position p of sequence s and head h, with c_j the j-th cached row (values [0, L) latent,
    [L, L + R) rotary key):
      score_j = scale * (query[t, h] . c_j[0, L) + query_rope[t, h] . c_j[L, L + R)) for j <= p,
      result[t, h] = sum_j softmax(score)_j * c_j[0, L).
    Keys run in fixed blocks of 64 positions from 0, so a token's bits depend on its own sequence only.
    Source: DeepSeek-V2 (arXiv 2405.04434), latent attention with absorbed projections; online softmax
    (arXiv 1805.02867).

    query: [T, H, L] f32; query_rope: [T, H, R] f32; cache: memref [blocks, 64, L + R];
    positions, sequences: [T] i32; tables: [S, B] i32; result: [T, H, L] f32.
    (C1) the cache row holds L + R values. (C2) query and query_rope agree on heads.

    Example:
    ```mlir
    %y = kernel.paged_attention %q, %r, %cache, %pos, %seq, %tables scale 1.250000e-01
        : tensor<?x4x32xf32>, tensor<?x4x16xf32>, memref<?x64x48xbf16>, tensor<?xi32>, tensor<?xi32>,
          tensor<?x?xi32> -> tensor<?x4x32xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$query, AnyRankedTensor:$query_rope, AnyMemRef:$cache,
                       AnyRankedTensor:$positions, AnyRankedTensor:$sequences, AnyRankedTensor:$tables,
                       F64Attr:$scale);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $query `,` $query_rope `,` $cache `,` $positions `,` $sequences `,` $tables `scale` $scale attr-dict
    `:` type($query) `,` type($query_rope) `,` type($cache) `,` type($positions) `,` type($sequences) `,`
    type($tables) `->` type($result)
  }];
}

def Kernel_PagedAttentionExpandedOp : Kernel_StructuredOp<"paged_attention_expanded", [MemoryEffects<[MemRead]>]> {
  let summary = "Attention that expands cached latents to keys and values block by block";
  let description = [{
    The same function as absorbed attention, in the order of the training code: for every 64-token block of a
    sequence's cache and every head, keys[j] = key_weight . c_j[0, L) and values[j] = value_weight . c_j[0, L) are
    computed once for all tokens that the sequence brings to this step.
      score_j = scale * (query[t, h] . keys[j] + query_rope[t, h] . c_j[L, L + R)), softmax over j <= p.

    query: [T, H, D] f32; query_rope: [T, H, R] f32; key_weight: [H, D, L]; value_weight: [H, V, L];
    cache: memref [blocks, 64, L + R]; positions: [T]; sequence_offsets: [S + 1]; tables: [S, B];
    result: [T, H, V] f32.
    (C1) the cache row holds L + R values. (C2) the weights agree with query on heads and D.

    Example:
    ```mlir
    %y = kernel.paged_attention_expanded %q, %r, %wk, %wv, %cache, %pos, %offsets, %tables scale 1.250000e-01
        : tensor<?x4x24xf32>, tensor<?x4x16xf32>, tensor<4x24x32xbf16>, tensor<4x24x32xbf16>,
          memref<?x64x48xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32> -> tensor<?x4x24xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$query, AnyRankedTensor:$query_rope, AnyRankedTensor:$key_weight,
                       AnyRankedTensor:$value_weight, AnyMemRef:$cache, AnyRankedTensor:$positions,
                       AnyRankedTensor:$sequence_offsets, AnyRankedTensor:$tables, F64Attr:$scale);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $query `,` $query_rope `,` $key_weight `,` $value_weight `,` $cache `,` $positions `,` $sequence_offsets `,`
    $tables `scale` $scale attr-dict `:` type($query) `,` type($query_rope) `,` type($key_weight) `,`
    type($value_weight) `,` type($cache) `,` type($positions) `,` type($sequence_offsets) `,` type($tables) `->`
    type($result)
  }];
}

def Kernel_PagedScatterOp : Kernel_StructuredOp<"paged_scatter", [MemoryEffects<[MemWrite]>]> {
  let summary = "Writes each token's row into its slot of a paged cache";
  let description = [{
    cache[slots[t] / 64, slots[t] mod 64, :] = concat(parts[0][t, :], parts[1][t, :], ..).
    parts: [T, *]; slots: [T] i32; cache: memref [blocks, 64, sum of parts' columns].
    (C1) the parts' columns add up to the cache row. (C2) parts have the cache's element type.

    Example:
    ```mlir
    kernel.paged_scatter %slots, %cache, %latent, %rope
        : tensor<?xi32>, memref<?x64x48xbf16>, tensor<?x32xbf16>, tensor<?x16xbf16>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$slots, AnyMemRef:$cache, Variadic<AnyRankedTensor>:$parts);
  let assemblyFormat = "$slots `,` $cache `,` $parts attr-dict `:` type($slots) `,` type($cache) `,` type($parts)";
}

def Kernel_GroupTopKOp : Kernel_StructuredOp<"group_top_k", [Pure, DestinationStyleOpInterface,
    AllTypesMatch<["init", "result"]>, Kernel_TiledByResult]> {
  let summary = "The k highest scores of each row, limited to its best groups";
  let description = [{
    Splits a row of E scores into `groups` equal parts, keeps the `kept_groups` parts whose two highest scores have
    the largest sum, sets all others to minus infinity, and returns the columns of the k highest, highest first. Ties go to
    the lowest column. With groups = 1 nothing is masked.
    Source: DeepSeek-V3 (arXiv 2412.19437), section 2.1.2; masked with minus infinity as in transformers.

    scores: [T, E] f32; init and result: [T, k] i32 (init is written over).
    (C1) k is between 1 and E. (C2) groups divides E. (C3) kept_groups is between 1 and groups.

    Example: `%ids = kernel.group_top_k %s groups 1 keep 1 into %init : tensor<?x16xf32>, tensor<?x4xi32>`
  }];
  let arguments = (ins AnyRankedTensor:$scores, I64Attr:$groups, I64Attr:$kept_groups, AnyRankedTensor:$init);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $scores `groups` $groups `keep` $kept_groups `into` $init attr-dict `:` type($scores) `,` type($init)
  }];
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getInitMutable(); }
  }];
}

def Kernel_SortByGroupOp : Kernel_StructuredOp<"sort_by_group", [Pure]> {
  let summary = "A stable counting sort of (token, choice) pairs by the chosen group";
  let description = [{
    ids: [T, k] i32, each in [0, E). Pairs are numbered t * k + j. Returns
      rows: [T * k] i32, the token t of each pair in sorted order (stable: token order inside a group);
      slots: [T, k] i32, where each pair went: rows[slots[t, j]] = t;
      offsets: [E + 1] i32, where each group begins, then T * k.
    (C1) offsets has at least 2 elements.

    Example:
    `%rows, %slots, %offsets = kernel.sort_by_group %ids : tensor<?x4xi32> -> tensor<?xi32>, tensor<?x4xi32>, tensor<17xi32>`
  }];
  let arguments = (ins AnyRankedTensor:$ids);
  let results = (outs AnyRankedTensor:$rows, AnyRankedTensor:$slots, AnyRankedTensor:$offsets);
  let assemblyFormat = "$ids attr-dict `:` type($ids) `->` type($rows) `,` type($slots) `,` type($offsets)";
}

#endif
