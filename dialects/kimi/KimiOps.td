#ifndef KIMI_OPS
#define KIMI_OPS

include "dialects/kimi/KimiAttrs.td"
include "dialects/kimi/KimiInterfaces.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Kimi_Op<string mnemonic, list<Trait> traits = []> : Op<Kimi_Dialect, mnemonic, traits>;

// An operation of the model: `role` says how fuse treats it, `dims` where the sizes of its results come from.
class Kimi_ModelOp<string mnemonic, string role, list<Trait> traits = [], list<string> overrides = []>
    : Kimi_Op<mnemonic, traits # [DeclareOpInterfaceMethods<Kimi_ModelOpInterface, overrides>]> {
  let hasVerifier = 1;
  code roleDeclaration = "::kimi::model::FusionRole fusionRole() { return ::kimi::model::FusionRole::" # role # "; }";
  let extraClassDeclaration = roleDeclaration;
}

//===- module level -----------------------------------------------------------------------------------------===//

def Kimi_WeightOp : Kimi_Op<"weight", [Symbol]> {
  let summary = "A weight of the model, over the layers that have it";
  let description = [{
    `type` is the logical tensor of one layer. `source` is the checkpoint's tensor name, {layer} standing for the
    layer number and {expert} for the expert number; with `experts` the leading size of `type` runs over experts.
    `rows` takes part of a source matrix (kv_b_proj). `quantised` says that the weight is one half of another: its codes,
    or their scales; a code's type is f8E4M3FN or i4. `rope` instead of `source` asks for the table
    [positions, 2, dim / 2] f32 of cos and sin of (f32 position * f32 frequency).
    `layout` is set by `select`: how the weight lies in the artifact.

    (C1) exactly one of `source` and `rope` is present. (C2) {layer} appears in `source` exactly when `num_layers`
    is present. (C3) `experts` is the leading size of `type`. (C4) with `rows`, `type` is
    [groups, end - begin, K]. (C5) quantised codes are f8E4M3FN or i4, scales f32 or bf16; nothing else is
    f8E4M3FN or i4.

    Lives from import to emit.
    Example: `kimi.weight @moe.gate_proj : tensor<16x64x256xbf16> from "model.layers.{layer}.mlp.experts.{expert}.gate_proj.weight" layers 1 count 3 experts 16`
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<AnyRankedTensor>:$type, OptionalAttr<StrAttr>:$source,
                       OptionalAttr<Kimi_RopeAttr>:$rope,
                       OptionalAttr<I64Attr>:$first_layer, OptionalAttr<I64Attr>:$num_layers,
                       OptionalAttr<I64Attr>:$experts, OptionalAttr<Kimi_RowsAttr>:$rows,
                       OptionalAttr<Kimi_QuantisedAttr>:$quantised, OptionalAttr<AnyAttr>:$layout);
  let assemblyFormat = [{
    $sym_name `:` $type (`from` $source^)? (`rope` $rope^)? (`layers` $first_layer^ `count` $num_layers)?
    (`experts` $experts^)? (`rows` $rows^)? (`quantised` $quantised^)? (`layout` $layout^)? attr-dict
  }];
  let hasVerifier = 1;
}

def Kimi_CacheOp : Kimi_Op<"cache", [Symbol]> {
  let summary = "A paged cache of the model, over its layers";
  let description = [{
    Example: `kimi.cache @latent : !kimi.cache<48 x bf16> layers 4`
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<Kimi_CacheType>:$type, I64Attr:$num_layers);
  let assemblyFormat = "$sym_name `:` $type `layers` $num_layers attr-dict";
}

def Kimi_LoadWeightOp : Kimi_Op<"load_weight", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Names a weight's tensor for one layer";
  let description = [{
    (C1) `weight` names a `kimi.weight` of the result's type. (C2) `layer` is given exactly when the weight has layers.
    Example: `%w = kimi.load_weight @moe.gate_proj[%layer] : tensor<16x64x256xbf16>`
  }];
  let arguments = (ins FlatSymbolRefAttr:$weight, Optional<Index>:$layer);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$weight (`[` $layer^ `]`)? attr-dict `:` type($result)";
}

def Kimi_DequantiseOp : Kimi_ModelOp<"dequantise", "Operand", [Pure]> {
  let summary = "The values that a quantised weight stands for";
  let description = [{
    result[.., n, k] = f32(codes[.., n, k]) * scales[.., n / R, k / C] in blocks of R x C, rounded once to f32 and never to
    less. codes: [.., N, K], f8E4M3FN or i4; scales: [.., ceil(N / R), ceil(K / C)], f32 or bf16; result: f32 of codes'
    shape. It is part of every kernel that reads it: the values are never stored.
    (C1) codes and result have the same shape. (C2) there is one scale per block. (C3) codes are f8E4M3FN or i4.
    Example: `%w = kimi.dequantise %c, %s blocks 128 x 128 : tensor<192x256xf8E4M3FN>, tensor<2x2xf32> -> tensor<192x256xf32>`
  }];
  let arguments = (ins AnyRankedTensor:$codes, AnyRankedTensor:$scales, I64Attr:$block_rows, I64Attr:$block_columns);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $codes `,` $scales `blocks` $block_rows `x` $block_columns attr-dict
    `:` type($codes) `,` type($scales) `->` type($result)
  }];
}

def Kimi_LoadCacheOp : Kimi_Op<"load_cache", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Names one layer of a paged cache";
  let description = [{
    (C1) `cache` names a `kimi.cache` of the result's type.
    Example: `%c = kimi.load_cache @latent[%layer] : !kimi.cache<48 x bf16>`
  }];
  let arguments = (ins FlatSymbolRefAttr:$cache, Index:$layer);
  let results = (outs Kimi_CacheType:$result);
  let assemblyFormat = "$cache `[` $layer `]` attr-dict `:` type($result)";
}

def Kimi_StepInputOp : Kimi_Op<"step_input", [Pure]> {
  let summary = "One column of the step-input table";
  let description = [{
    (C1) the result has the type that runtime/schema/artifact.fbs gives the input.
    Example: `%positions = kimi.step_input <positions> : tensor<?xi32>`
  }];
  let arguments = (ins Kimi_StepInputAttr:$input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Kimi_StepOutputOp : Kimi_Op<"step_output"> {
  let summary = "Hands a tensor to the caller of the step";
  let description = [{
    (C1) the value has the type that runtime/schema/artifact.fbs gives the output.
    Example: `kimi.step_output <sampled_tokens> %tokens : tensor<?xi32>`
  }];
  let arguments = (ins Kimi_StepOutputAttr:$output, AnyRankedTensor:$value);
  let assemblyFormat = "$output $value attr-dict `:` type($value)";
  let hasVerifier = 1;
}

//===- activations ------------------------------------------------------------------------------------------===//

def Kimi_EmbeddingOp : Kimi_ModelOp<"embedding", "Root", [Pure]> {
  let summary = "Looks up the row of every token";
  let description = [{
    ids: [T] i32, table: [V, H], result: [T, H] of the table's type, or f32 (no rounding).
    (C1) table and result agree on H. (C2) the result has the table's element type or f32.
    Example: `%h = kimi.embedding %ids, %table : tensor<?xi32>, tensor<640x256xbf16> -> tensor<?x256xbf16>`
  }];
  let arguments = (ins AnyRankedTensor:$ids, AnyRankedTensor:$table);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$ids `,` $table attr-dict `:` type($ids) `,` type($table) `->` type($result)";
}

def Kimi_RmsNormOp : Kimi_ModelOp<"rms_norm", "Root", [Pure]> {
  let summary = "Divides every row by its root mean square and scales it";
  let description = [{
    result[t, c] = x[t, c] * rsqrt(mean over c of x[t, c]^2 + eps) * weight[c], all in f32.
    Source: arXiv 1910.07467. x: [T, H] or [T, ..., H]; weight: [H]; result f32.
    (C1) x and weight agree on H. (C2) eps is positive.
    Example: `%y = kimi.rms_norm %x, %w eps 1.000000e-06 : tensor<?x256xbf16>, tensor<256xbf16> -> tensor<?x256xf32>`
  }];
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$weight, F64Attr:$eps);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$x `,` $weight `eps` $eps attr-dict `:` type($x) `,` type($weight) `->` type($result)";
}

def Kimi_LinearOp : Kimi_ModelOp<"linear", "Root", [Pure]> {
  let summary = "x times the transpose of a weight matrix";
  let description = [{
    result[t, n] = sum over k of x[t, k] * weight[n, k], summed in f32. x: [T, K]; weight: [N, K]; result: [T, N] f32.
    (C1) x and weight agree on K. (C2) weight and result agree on N.
    Example: `%y = kimi.linear %x, %w : tensor<?x256xbf16>, tensor<96x256xbf16> -> tensor<?x96xf32>`
  }];
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$weight);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$x `,` $weight attr-dict `:` type($x) `,` type($weight) `->` type($result)";
}

def Kimi_RoundOp : Kimi_ModelOp<"round", "Elementwise", [Pure]> {
  let summary = "Rounds to a storage type, to nearest even";
  let description = [{
    The only operation that loses bits; the numeric profile decides where it stands.
    (C1) x and result have the same shape. (C2) the result's type is narrower than x's.
    Example: `%y = kimi.round %x : tensor<?x256xf32> -> tensor<?x256xbf16>`
  }];
  let arguments = (ins AnyRankedTensor:$x);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$x attr-dict `:` type($x) `->` type($result)";
}

def Kimi_AddOp : Kimi_ModelOp<"add", "Elementwise", [Pure]> {
  let summary = "Sums two activations in f32";
  let description = [{
    (C1) both operands have the result's shape; the result is f32.
    Example: `%y = kimi.add %a, %b : tensor<?x256xf32>, tensor<?x256xbf16> -> tensor<?x256xf32>`
  }];
  let arguments = (ins AnyRankedTensor:$lhs, AnyRankedTensor:$rhs);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs) `->` type($result)";
}

def Kimi_SwigluOp : Kimi_ModelOp<"swiglu", "Elementwise", [Pure]> {
  let summary = "silu(gate) * up";
  let description = [{
    result = gate / (1 + exp(-gate)) * up, in f32. Source: arXiv 2002.05202.
    (C1) both operands have the result's shape; the result is f32.
    Example: `%y = kimi.swiglu %g, %u : tensor<?x64xf32>, tensor<?x64xf32> -> tensor<?x64xf32>`
  }];
  let arguments = (ins AnyRankedTensor:$gate, AnyRankedTensor:$up);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$gate `,` $up attr-dict `:` type($gate) `,` type($up) `->` type($result)";
}

def Kimi_GatherRowsOp : Kimi_ModelOp<"gather_rows", "Root", [Pure], ["inferDims"]> {
  let summary = "Picks rows of an activation";
  let description = [{
    result[r, :] = x[rows[r], :]; x: [T, H]; rows: [R] i32; result: [R, H] of x's type.
    (C1) x and result agree on H and on the element type.
    Example: `%y = kimi.gather_rows %x, %rows : tensor<?x256xbf16>, tensor<?xi32> -> tensor<?x256xbf16>`
  }];
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$rows);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$x `,` $rows attr-dict `:` type($x) `,` type($rows) `->` type($result)";
}

//===- latent attention --------------------------------------------------------------------------------------===//

def Kimi_RopeOp : Kimi_ModelOp<"rope", "Root", [Pure]> {
  let summary = "Rotates neighbouring pairs by the token's position";
  let description = [{
    With a = x[.., 2i], b = x[.., 2i + 1], c = table[p, 0, i], s = table[p, 1, i], p = positions[t]:
    result[.., 2i] = a c - b s, result[.., 2i + 1] = b c + a s (interleaved pairs, order kept). Source: arXiv 2104.09864.
    x: [T, D] or [T, H, D]; positions: [T] i32; table: [P, 2, D / 2] f32; result: f32 of x's shape.
    (C1) the table has D / 2 pairs. (C2) x and result have the same shape.
    Example: `%y = kimi.rope %x, %pos, %table : tensor<?x4x16xbf16>, tensor<?xi32>, tensor<4096x2x8xf32> -> tensor<?x4x16xf32>`
  }];
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$positions, AnyRankedTensor:$table);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $x `,` $positions `,` $table attr-dict `:` type($x) `,` type($positions) `,` type($table) `->` type($result)
  }];
}

def Kimi_CacheWriteOp : Kimi_ModelOp<"cache_write", "Opaque", [MemoryEffects<[MemWrite]>]> {
  let summary = "Stores every token's normed latent and rotated key in the paged cache";
  let description = [{
    cache[slots[t]] = concat(latent[t, :], rope[t, :]). latent: [T, L]; rope: [T, R]; slots: [T] i32.
    (C1) the cache row holds L + R values. (C2) latent and rope have the cache's element type.
    Example: `kimi.cache_write %slots, %cache, %latent, %rope : tensor<?xi32>, !kimi.cache<48 x bf16>, tensor<?x32xbf16>, tensor<?x16xbf16>`
  }];
  let arguments = (ins AnyRankedTensor:$slots, Kimi_CacheType:$cache, AnyRankedTensor:$latent,
                       AnyRankedTensor:$rope);
  let assemblyFormat = [{
    $slots `,` $cache `,` $latent `,` $rope attr-dict
    `:` type($slots) `,` type($cache) `,` type($latent) `,` type($rope)
  }];
}

def Kimi_LatentAttentionOp : Kimi_ModelOp<"latent_attention", "Opaque", [MemoryEffects<[MemRead]>]> {
  let summary = "Causal attention of every token over its own sequence, through cached latents";
  let description = [{
    With c_j the cached latent and r_j the cached rotary key of position j of the token's sequence:
      k_j = key_weight[h] c_j, v_j = value_weight[h] c_j,
      score_j = scale * (query[t, h] . k_j + query_rope[t, h] . r_j) for j <= positions[t],
      result[t, h] = sum over j of softmax(score)_j v_j, all in f32.
    Source: DeepSeek-V2, arXiv 2405.04434, section 2.1.
    query: [T, H, D]; query_rope: [T, H, R]; key_weight: [H, D, L]; value_weight: [H, V, L]; positions, sequences:
    [T] i32; offsets: [S + 1] i32; tables: [S, B] i32; result: [T, H, V] f32.
    (C1) the cache row holds L + R values. (C2) query and key_weight agree on H and D. (C3) result is [T, H, V].

    `specialise` decides `form`. absorbed: becomes absorb_query, paged_attention, expand_value. expanded: stays.
    Example:
    ```mlir
    %y = kimi.latent_attention %q, %qr, %wk, %wv, %cache, %pos, %seq, %off, %tables scale 1.308608e-01
        : tensor<?x4x24xbf16>, tensor<?x4x16xbf16>, tensor<4x24x32xbf16>, tensor<4x24x32xbf16>,
          !kimi.cache<48 x bf16>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32> -> tensor<?x4x24xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$query, AnyRankedTensor:$query_rope, AnyRankedTensor:$key_weight,
                       AnyRankedTensor:$value_weight, Kimi_CacheType:$cache, AnyRankedTensor:$positions,
                       AnyRankedTensor:$sequences, AnyRankedTensor:$offsets, AnyRankedTensor:$tables, F64Attr:$scale,
                       OptionalAttr<Kimi_AttentionFormAttr>:$form);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $query `,` $query_rope `,` $key_weight `,` $value_weight `,` $cache `,` $positions `,` $sequences `,` $offsets
    `,` $tables `scale` $scale (`form` $form^)? attr-dict `:` type($query) `,` type($query_rope) `,`
    type($key_weight) `,` type($value_weight) `,` type($cache) `,` type($positions) `,` type($sequences) `,`
    type($offsets) `,` type($tables) `->` type($result)
  }];
}

def Kimi_AbsorbQueryOp : Kimi_ModelOp<"absorb_query", "Root", [Pure]> {
  let summary = "Brings each head's query into the latent space";
  let description = [{
    result[t, h, l] = sum over d of query[t, h, d] * key_weight[h, d, l]. query: [T, H, D]; key_weight: [H, D, L];
    result: [T, H, L] f32. (C1) query and key_weight agree on H and D. (C2) result is [T, H, L].
    Example: `%y = kimi.absorb_query %q, %wk : tensor<?x4x24xbf16>, tensor<4x24x32xbf16> -> tensor<?x4x32xf32>`
  }];
  let arguments = (ins AnyRankedTensor:$query, AnyRankedTensor:$key_weight);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$query `,` $key_weight attr-dict `:` type($query) `,` type($key_weight) `->` type($result)";
}

def Kimi_PagedAttentionOp : Kimi_ModelOp<"paged_attention", "Opaque", [MemoryEffects<[MemRead]>]> {
  let summary = "Attention in the latent space: cached latents are keys and values";
  let description = [{
    As kernel.paged_attention. (C1) the cache row holds L + R values. (C2) query and query_rope agree on heads.
    Example:
    ```mlir
    %y = kimi.paged_attention %q, %qr, %cache, %pos, %seq, %tables scale 1.308608e-01
        : tensor<?x4x32xf32>, tensor<?x4x16xbf16>, !kimi.cache<48 x bf16>, tensor<?xi32>, tensor<?xi32>,
          tensor<?x?xi32> -> tensor<?x4x32xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$query, AnyRankedTensor:$query_rope, Kimi_CacheType:$cache,
                       AnyRankedTensor:$positions, AnyRankedTensor:$sequences, AnyRankedTensor:$tables,
                       F64Attr:$scale);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $query `,` $query_rope `,` $cache `,` $positions `,` $sequences `,` $tables `scale` $scale attr-dict
    `:` type($query) `,` type($query_rope) `,` type($cache) `,` type($positions) `,` type($sequences) `,`
    type($tables) `->` type($result)
  }];
}

def Kimi_ExpandValueOp : Kimi_ModelOp<"expand_value", "Root", [Pure]> {
  let summary = "Brings each head's attended latent to its value space";
  let description = [{
    result[t, h, v] = sum over l of latent[t, h, l] * value_weight[h, v, l]. latent: [T, H, L];
    value_weight: [H, V, L]; result: [T, H, V] f32.
    (C1) latent and value_weight agree on H and L. (C2) result is [T, H, V].
    Example: `%y = kimi.expand_value %o, %wv : tensor<?x4x32xf32>, tensor<4x24x32xbf16> -> tensor<?x4x24xf32>`
  }];
  let arguments = (ins AnyRankedTensor:$latent, AnyRankedTensor:$value_weight);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$latent `,` $value_weight attr-dict `:` type($latent) `,` type($value_weight) `->` type($result)";
}

//===- experts -----------------------------------------------------------------------------------------------===//

def Kimi_RouteExpertsOp : Kimi_ModelOp<"route_experts", "Root", [Pure]> {
  let summary = "Chooses the experts that process each token, and their weights";
  let description = [{
    s = sigmoid(logits). The k experts with the largest s + bias are chosen, among the `kept_groups` of `groups` expert
    groups whose two best experts score highest. The bias takes part in choosing but not in weighting:
    weights = s at the chosen experts, divided by (their sum + 1e-20) if `normalise`, times `scaling`.
    Source: DeepSeek-V3, arXiv 2412.19437, section 2.1.2 (noaux_tc). Ties go to the lowest expert.
    logits: [T, E] f32; bias: [E] f32; ids: [T, k] i32; weights: [T, k] f32.
    (C1) logits and bias agree on E. (C2) ids and weights agree on k, 1 <= k <= E. (C3) groups divides E and
    kept_groups is between 1 and groups.
    Example: `%ids, %w = kimi.route_experts %l, %b groups 1 keep 1 normalise true scaling 2.827000e+00 : tensor<?x16xf32>, tensor<16xf32> -> tensor<?x4xi32>, tensor<?x4xf32>`
  }];
  let arguments = (ins AnyRankedTensor:$logits, AnyRankedTensor:$bias, I64Attr:$groups, I64Attr:$kept_groups,
                       BoolAttr:$normalise, F64Attr:$scaling);
  let results = (outs AnyRankedTensor:$ids, AnyRankedTensor:$weights);
  let assemblyFormat = [{
    $logits `,` $bias `groups` $groups `keep` $kept_groups `normalise` $normalise `scaling` $scaling attr-dict
    `:` type($logits) `,` type($bias) `->` type($ids) `,` type($weights)
  }];
}

def Kimi_DispatchOp : Kimi_ModelOp<"dispatch", "Opaque", [Pure], ["inferDims"]> {
  let summary = "Orders (token, choice) pairs by expert";
  let description = [{
    As kernel.sort_by_group: rows: [T * k] i32 the token of each pair in expert order; slots: [T, k] i32 where each
    pair went; offsets: [E + 1] i32 where each expert's pairs begin.
    (C1) offsets has at least 2 elements. (C2) slots has the shape of ids.
    Example: `%rows, %slots, %off = kimi.dispatch %ids : tensor<?x4xi32> -> tensor<?xi32>, tensor<?x4xi32>, tensor<17xi32>`
  }];
  let arguments = (ins AnyRankedTensor:$ids);
  let results = (outs AnyRankedTensor:$rows, AnyRankedTensor:$slots, AnyRankedTensor:$offsets);
  let assemblyFormat = "$ids attr-dict `:` type($ids) `->` type($rows) `,` type($slots) `,` type($offsets)";
}

def Kimi_ExpertLinearOp : Kimi_ModelOp<"expert_linear", "Root", [Pure], ["inferDims"]> {
  let summary = "Each pair's row times the transpose of its expert's matrix";
  let description = [{
    result[a, n] = sum over k of x[rows[a], k] * weight[e(a), n, k], offsets[e] <= a < offsets[e + 1]; without `rows`
    the row is a itself. x: [X, K]; rows: [A] i32; offsets: [E + 1] i32; weight: [E, N, K]; result: [A, N] f32.
    (C1) x and weight agree on K. (C2) offsets has E + 1 elements. (C3) weight and result agree on N.
    Example: `%y = kimi.expert_linear %x rows %rows offsets %off, %w : tensor<?x256xbf16>, tensor<17xi32>, tensor<16x64x256xbf16>, tensor<?xi32> -> tensor<?x64xf32>`
  }];
  let arguments = (ins AnyRankedTensor:$x, Optional<AnyRankedTensor>:$rows, AnyRankedTensor:$offsets,
                       AnyRankedTensor:$weight);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $x (`rows` $rows^)? `offsets` $offsets `,` $weight attr-dict
    `:` type($x) `,` type($offsets) `,` type($weight) (`,` type($rows)^)? `->` type($result)
  }];
}

def Kimi_CombineOp : Kimi_ModelOp<"combine", "Root", [Pure], ["inferDims"]> {
  let summary = "Sums each token's weighted expert outputs in the token's own order";
  let description = [{
    result[t, :] = sum over j = 0 .. k - 1 of weights[t, j] * x[slots[t, j], :], in f32, j ascending.
    x: [A, H]; slots: [T, k] i32; weights: [T, k] f32; result: [T, H] f32.
    (C1) slots and weights have the same shape. (C2) x and result agree on H.
    Example: `%y = kimi.combine %x, %slots, %w : tensor<?x256xbf16>, tensor<?x4xi32>, tensor<?x4xf32> -> tensor<?x256xf32>`
  }];
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$slots, AnyRankedTensor:$weights);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$x `,` $slots `,` $weights attr-dict `:` type($x) `,` type($slots) `,` type($weights) `->` type($result)";
}

//===- sampling ----------------------------------------------------------------------------------------------===//

def Kimi_SampleOp : Kimi_ModelOp<"sample", "Opaque", [Pure]> {
  let summary = "Draws the next token of every row";
  let description = [{
    Per row: z = logits, penalised, biased and masked; temperature 0 takes the largest z (ties to the lowest id).
    Otherwise z is divided by the temperature, the candidates are cut to the top_k largest, then to the smallest set
    of probability >= top_p, then to those of at least min_p times the largest probability (each cut is a threshold found
    by bisection: row reductions only, no sort; equal logits stay or go together), and the token is
    argmax(z + g) with Gumbel noise g = -ln(-ln(u)), u a hash of (seed, draw_index, token): the draw depends on the
    request alone. logprobs are of the model's own logits.
    `controls` are the step inputs temperature .. logprob_counts in the order of the table.
    (C1) logits is [R, V] f32. (C2) there are 18 controls.
    Results: sampled [R] i32, logprob [R] f32, top ids and logprobs [R, 20], finite [R] i32.
    Example:
    ```mlir
    %t, %lp, %ti, %tl, %f = kimi.sample %logits controls (%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17)
        : tensor<?x640xf32>, (tensor<?xf32>, tensor<?xf32>, tensor<?xf32>, tensor<?xi32>, tensor<?x2xi32>, tensor<?xi32>, tensor<?xi32>,
          tensor<?x20xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>,
          tensor<?xf32>, tensor<?xf32>, tensor<?xf32>, tensor<?xi32>)
        -> tensor<?xi32>, tensor<?xf32>, tensor<?x20xi32>, tensor<?x20xf32>, tensor<?xi32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$logits, Variadic<AnyRankedTensor>:$controls);
  let results = (outs AnyRankedTensor:$sampled, AnyRankedTensor:$logprob, AnyRankedTensor:$top_ids,
                      AnyRankedTensor:$top_logprobs, AnyRankedTensor:$finite);
  let assemblyFormat = [{
    $logits `controls` `(` $controls `)` attr-dict `:` type($logits) `,` `(` type($controls) `)` `->` type($sampled)
    `,` type($logprob) `,` type($top_ids) `,` type($top_logprobs) `,` type($finite)
  }];
}

#endif
