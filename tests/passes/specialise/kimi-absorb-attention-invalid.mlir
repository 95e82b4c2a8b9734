// RUN: kimi-opt %s --kimi-absorb-attention -verify-diagnostics

module @undecided {
  func.func private @layer(%q: tensor<?x4x24xbf16>, %qr: tensor<?x4x16xbf16>, %wk: tensor<4x24x32xbf16>,
                           %wv: tensor<4x24x32xbf16>, %cache: !kimi.cache<48 x bf16>, %pos: tensor<?xi32>,
                           %seq: tensor<?xi32>, %off: tensor<?xi32>, %tables: tensor<?x?xi32>) -> tensor<?x4x24xf32> {
    // expected-error @+1 {{has no form: run kimi-choose-attention-form first, or write `form <absorbed>`}}
    %0 = kimi.latent_attention %q, %qr, %wk, %wv, %cache, %pos, %seq, %off, %tables scale 1.250000e-01
        : tensor<?x4x24xbf16>, tensor<?x4x16xbf16>, tensor<4x24x32xbf16>, tensor<4x24x32xbf16>, <48 x bf16>,
          tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32> -> tensor<?x4x24xf32>
    return %0 : tensor<?x4x24xf32>
  }
}
