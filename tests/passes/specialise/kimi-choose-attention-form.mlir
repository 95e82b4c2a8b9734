// RUN: kimi-opt %s --kimi-choose-attention-form -split-input-file | FileCheck %s

// The default is absorbed, in every entry: a token's bits must not depend on its bucket.
// CHECK-LABEL: module @default
// CHECK: kimi.latent_attention {{.*}} form <absorbed>
// CHECK-NOT: _mixed
module @default {
  func.func private @layer(%q: tensor<?x4x24xbf16>, %qr: tensor<?x4x16xbf16>, %wk: tensor<4x24x32xbf16>,
                           %wv: tensor<4x24x32xbf16>, %cache: !kimi.cache<48 x bf16>, %pos: tensor<?xi32>,
                           %seq: tensor<?xi32>, %off: tensor<?xi32>, %tables: tensor<?x?xi32>) -> tensor<?x4x24xf32> {
    %0 = kimi.latent_attention %q, %qr, %wk, %wv, %cache, %pos, %seq, %off, %tables scale 1.250000e-01
        : tensor<?x4x24xbf16>, tensor<?x4x16xbf16>, tensor<4x24x32xbf16>, tensor<4x24x32xbf16>, <48 x bf16>,
          tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32> -> tensor<?x4x24xf32>
    return %0 : tensor<?x4x24xf32>
  }
  func.func @mixed_64() attributes {kimi.entry = #kimi.entry<mixed, tokens = 64, sequences = 2, rows = 2>} {
    return
  }
}

// -----

// A form that stands already is kept.
// CHECK-LABEL: module @kept
// CHECK: kimi.latent_attention {{.*}} form <expanded>
module @kept attributes {kimi.options = {prefill_attention = "absorbed"}} {
  func.func private @layer(%q: tensor<?x4x24xbf16>, %qr: tensor<?x4x16xbf16>, %wk: tensor<4x24x32xbf16>,
                           %wv: tensor<4x24x32xbf16>, %cache: !kimi.cache<48 x bf16>, %pos: tensor<?xi32>,
                           %seq: tensor<?xi32>, %off: tensor<?xi32>, %tables: tensor<?x?xi32>) -> tensor<?x4x24xf32> {
    %0 = kimi.latent_attention %q, %qr, %wk, %wv, %cache, %pos, %seq, %off, %tables scale 1.250000e-01 form <expanded>
        : tensor<?x4x24xbf16>, tensor<?x4x16xbf16>, tensor<4x24x32xbf16>, tensor<4x24x32xbf16>, <48 x bf16>,
          tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32> -> tensor<?x4x24xf32>
    return %0 : tensor<?x4x24xf32>
  }
}

// -----

// Asked for, mixed entries call expanded copies; decode entries and functions without attention stay as they are.
// CHECK-LABEL: module @expanded
// CHECK: func.func private @layer(
// CHECK: kimi.latent_attention {{.*}} form <absorbed>
// CHECK: func.func private @layer_mixed(
// CHECK: kimi.latent_attention {{.*}} form <expanded>
// CHECK: func.func private @plain
// CHECK: func.func @decode_1
// CHECK: call @layer(
// CHECK: call @plain()
// CHECK: func.func @mixed_64
// CHECK: call @layer_mixed(
// CHECK: call @layer_mixed(
// CHECK: call @plain()
// CHECK: func.func @mixed_256
// CHECK: call @layer_mixed(
// CHECK-NOT: func.func
module @expanded attributes {kimi.options = {prefill_attention = "expanded"}} {
  func.func private @layer(%q: tensor<?x4x24xbf16>, %qr: tensor<?x4x16xbf16>, %wk: tensor<4x24x32xbf16>,
                           %wv: tensor<4x24x32xbf16>, %cache: !kimi.cache<48 x bf16>, %pos: tensor<?xi32>,
                           %seq: tensor<?xi32>, %off: tensor<?xi32>, %tables: tensor<?x?xi32>) -> tensor<?x4x24xf32> {
    %0 = kimi.latent_attention %q, %qr, %wk, %wv, %cache, %pos, %seq, %off, %tables scale 1.250000e-01
        : tensor<?x4x24xbf16>, tensor<?x4x16xbf16>, tensor<4x24x32xbf16>, tensor<4x24x32xbf16>, <48 x bf16>,
          tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32> -> tensor<?x4x24xf32>
    return %0 : tensor<?x4x24xf32>
  }
  func.func private @plain() {
    return
  }
  func.func @decode_1(%q: tensor<?x4x24xbf16>, %qr: tensor<?x4x16xbf16>, %wk: tensor<4x24x32xbf16>,
                           %wv: tensor<4x24x32xbf16>, %cache: !kimi.cache<48 x bf16>, %pos: tensor<?xi32>,
                           %seq: tensor<?xi32>, %off: tensor<?xi32>, %tables: tensor<?x?xi32>) attributes {kimi.entry = #kimi.entry<decode, tokens = 1, sequences = 1, rows = 1>} {
    %0 = call @layer(%q, %qr, %wk, %wv, %cache, %pos, %seq, %off, %tables)
        : (tensor<?x4x24xbf16>, tensor<?x4x16xbf16>, tensor<4x24x32xbf16>, tensor<4x24x32xbf16>, !kimi.cache<48 x bf16>,
           tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4x24xf32>
    call @plain() : () -> ()
    return
  }
  func.func @mixed_64(%q: tensor<?x4x24xbf16>, %qr: tensor<?x4x16xbf16>, %wk: tensor<4x24x32xbf16>,
                           %wv: tensor<4x24x32xbf16>, %cache: !kimi.cache<48 x bf16>, %pos: tensor<?xi32>,
                           %seq: tensor<?xi32>, %off: tensor<?xi32>, %tables: tensor<?x?xi32>) attributes {kimi.entry = #kimi.entry<mixed, tokens = 64, sequences = 1, rows = 1>} {
    %0 = call @layer(%q, %qr, %wk, %wv, %cache, %pos, %seq, %off, %tables)
        : (tensor<?x4x24xbf16>, tensor<?x4x16xbf16>, tensor<4x24x32xbf16>, tensor<4x24x32xbf16>, !kimi.cache<48 x bf16>,
           tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4x24xf32>
    %1 = call @layer(%q, %qr, %wk, %wv, %cache, %pos, %seq, %off, %tables)
        : (tensor<?x4x24xbf16>, tensor<?x4x16xbf16>, tensor<4x24x32xbf16>, tensor<4x24x32xbf16>, !kimi.cache<48 x bf16>,
           tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4x24xf32>
    call @plain() : () -> ()
    return
  }
  func.func @mixed_256(%q: tensor<?x4x24xbf16>, %qr: tensor<?x4x16xbf16>, %wk: tensor<4x24x32xbf16>,
                           %wv: tensor<4x24x32xbf16>, %cache: !kimi.cache<48 x bf16>, %pos: tensor<?xi32>,
                           %seq: tensor<?xi32>, %off: tensor<?xi32>, %tables: tensor<?x?xi32>) attributes {kimi.entry = #kimi.entry<mixed, tokens = 256, sequences = 1, rows = 1>} {
    %0 = call @layer(%q, %qr, %wk, %wv, %cache, %pos, %seq, %off, %tables)
        : (tensor<?x4x24xbf16>, tensor<?x4x16xbf16>, tensor<4x24x32xbf16>, tensor<4x24x32xbf16>, !kimi.cache<48 x bf16>,
           tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4x24xf32>
    call @plain() : () -> ()
    return
  }
}
