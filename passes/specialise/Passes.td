#ifndef SPECIALISE_PASSES
#define SPECIALISE_PASSES

include "mlir/Pass/PassBase.td"

def Specialise : Pass<"kimi-specialise", "::mlir::ModuleOp"> {
  let summary = "Make one entry function per token bucket";
  let description = [{
    Copies `@step` once per bucket and removes it. Decode buckets serve steps in which every sequence brings one token:
    1, 2, 4 .. and `max_sequences`. Mixed buckets serve any other step: 64, 256, 1024 .. and `max_tokens`. Both numbers
    come from `kimi.options`. `#kimi.entry` on each entry says how many tokens, sequences and logit rows it holds.

    Before:
    ```mlir
    module attributes {kimi.options = {max_sequences = 2 : i64, max_tokens = 64 : i64}} {
      func.func @step() {
        return
      }
    }
    ```
    After:
    ```mlir
    module attributes {kimi.options = {max_sequences = 2 : i64, max_tokens = 64 : i64}} {
      func.func @decode_1() attributes {kimi.entry = #kimi.entry<decode, tokens = 1, sequences = 1, rows = 1>} {
        return
      }
      func.func @decode_2() attributes {kimi.entry = #kimi.entry<decode, tokens = 2, sequences = 2, rows = 2>} {
        return
      }
      func.func @mixed_64() attributes {kimi.entry = #kimi.entry<mixed, tokens = 64, sequences = 2, rows = 2>} {
        return
      }
    }
    ```
  }];
  let dependentDialects = ["::kimi::model::KimiDialect"];
}

def ChooseAttentionForm : Pass<"kimi-choose-attention-form", "::mlir::ModuleOp"> {
  let summary = "Decide how each entry computes latent attention";
  let description = [{
    Every latent_attention without a form becomes `absorbed`. With prefill_attention = "expanded" in `kimi.options`,
    mixed entries call copies of the layer functions, named `_mixed`, whose form is `expanded`. A form that stands
    already is kept.

    Before:
    ```mlir
    %y = kimi.latent_attention %q, %qr, %wk, %wv, %cache, %pos, %seq, %off, %tables scale 1.308608e-01
        : tensor<?x4x24xbf16>, tensor<?x4x16xbf16>, tensor<4x24x32xbf16>, tensor<4x24x32xbf16>,
          !kimi.cache<48 x bf16>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32> -> tensor<?x4x24xf32>
    ```
    After:
    ```mlir
    %y = kimi.latent_attention %q, %qr, %wk, %wv, %cache, %pos, %seq, %off, %tables scale 1.308608e-01 form <absorbed>
        : tensor<?x4x24xbf16>, tensor<?x4x16xbf16>, tensor<4x24x32xbf16>, tensor<4x24x32xbf16>,
          !kimi.cache<48 x bf16>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32> -> tensor<?x4x24xf32>
    ```
  }];
  let dependentDialects = ["::kimi::model::KimiDialect"];
}

def AbsorbAttention : Pass<"kimi-absorb-attention", "::mlir::ModuleOp"> {
  let summary = "Write absorbed attention as three operations in the latent space";
  let description = [{
    With the key matrix moved to the query's side and the value matrix behind the sum, cached latents are keys and
    values themselves: query . (key_weight c) = (key_weight^T query) . c. Nothing is rounded in between. Attention of
    the form `expanded` stays.

    Before:
    ```mlir
    %y = kimi.latent_attention %q, %qr, %wk, %wv, %cache, %pos, %seq, %off, %tables scale 1.308608e-01 form <absorbed>
        : tensor<?x4x24xbf16>, tensor<?x4x16xbf16>, tensor<4x24x32xbf16>, tensor<4x24x32xbf16>,
          !kimi.cache<48 x bf16>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32> -> tensor<?x4x24xf32>
    ```
    After:
    ```mlir
    %a = kimi.absorb_query %q, %wk : tensor<?x4x24xbf16>, tensor<4x24x32xbf16> -> tensor<?x4x32xf32>
    %b = kimi.paged_attention %a, %qr, %cache, %pos, %seq, %tables scale 1.308608e-01
        : tensor<?x4x32xf32>, tensor<?x4x16xbf16>, !kimi.cache<48 x bf16>, tensor<?xi32>, tensor<?xi32>,
          tensor<?x?xi32> -> tensor<?x4x32xf32>
    %y = kimi.expand_value %b, %wv : tensor<?x4x32xf32>, tensor<4x24x32xbf16> -> tensor<?x4x24xf32>
    ```
  }];
  let dependentDialects = ["::kimi::model::KimiDialect"];
}

#endif
