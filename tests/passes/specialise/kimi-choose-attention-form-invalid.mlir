// RUN: kimi-opt %s --kimi-choose-attention-form -split-input-file -verify-diagnostics

// expected-error @+1 {{kimi.options says prefill_attention = "flash" but it must be one of: absorbed, expanded}}
module @flash attributes {kimi.options = {prefill_attention = "flash"}} {
}

// -----

// expected-error @+1 {{prefill_attention is "expanded" but no function has kimi.entry of the kind mixed: run kimi-specialise first}}
module @early attributes {kimi.options = {prefill_attention = "expanded"}} {
  func.func @step() {
    return
  }
}

// -----

module @taken attributes {kimi.options = {prefill_attention = "expanded"}} {
  func.func private @layer(%q: tensor<?x4x24xbf16>, %qr: tensor<?x4x16xbf16>, %wk: tensor<4x24x32xbf16>,
                           %wv: tensor<4x24x32xbf16>, %cache: !kimi.cache<48 x bf16>, %pos: tensor<?xi32>,
                           %seq: tensor<?xi32>, %off: tensor<?xi32>, %tables: tensor<?x?xi32>) -> tensor<?x4x24xf32> {
    %0 = kimi.latent_attention %q, %qr, %wk, %wv, %cache, %pos, %seq, %off, %tables scale 1.250000e-01
        : tensor<?x4x24xbf16>, tensor<?x4x16xbf16>, tensor<4x24x32xbf16>, tensor<4x24x32xbf16>, <48 x bf16>,
          tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32> -> tensor<?x4x24xf32>
    return %0 : tensor<?x4x24xf32>
  }
  // expected-error @+1 {{the name @layer_mixed is needed for the copy of @layer that mixed entries call: rename this symbol}}
  kimi.cache @layer_mixed : !kimi.cache<48 x bf16> layers 4
  func.func @mixed_64(%q: tensor<?x4x24xbf16>, %qr: tensor<?x4x16xbf16>, %wk: tensor<4x24x32xbf16>,
                           %wv: tensor<4x24x32xbf16>, %cache: !kimi.cache<48 x bf16>, %pos: tensor<?xi32>,
                           %seq: tensor<?xi32>, %off: tensor<?xi32>, %tables: tensor<?x?xi32>) attributes {kimi.entry = #kimi.entry<mixed, tokens = 64, sequences = 1, rows = 1>} {
    %0 = call @layer(%q, %qr, %wk, %wv, %cache, %pos, %seq, %off, %tables)
        : (tensor<?x4x24xbf16>, tensor<?x4x16xbf16>, tensor<4x24x32xbf16>, tensor<4x24x32xbf16>, !kimi.cache<48 x bf16>,
           tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4x24xf32>
    return
  }
}
