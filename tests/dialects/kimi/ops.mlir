// Every operation of the dialect, printed and parsed again without change.
// RUN: kimi-opt %s | kimi-opt | FileCheck %s
// RUN: kimi-opt --mlir-print-op-generic %s | kimi-opt | FileCheck %s

// CHECK: module @tiny attributes {kimi.mesh = 1 : i64
module @tiny attributes {kimi.mesh = 1 : i64, kimi.numerics = "bf16"} {
  // CHECK-NEXT: kimi.weight @embed_tokens : tensor<640x256xbf16> from "model.embed_tokens.weight"
  kimi.weight @embed_tokens : tensor<640x256xbf16> from "model.embed_tokens.weight"
  // CHECK-NEXT: kimi.weight @rope_table : tensor<4096x2x8xf32> rope <dim = 16, theta = 5.000000e+04 : f64, factor = 3.200000e+01 : f64, original_context = 4096, beta_fast = 1.000000e+00 : f64, beta_slow = 1.000000e+00 : f64, magnitude = 1.000000e+00 : f64>
  kimi.weight @rope_table : tensor<4096x2x8xf32> rope <dim = 16, theta = 5.000000e+04 : f64, factor = 3.200000e+01 : f64, original_context = 4096, beta_fast = 1.000000e+00 : f64, beta_slow = 1.000000e+00 : f64, magnitude = 1.000000e+00 : f64>
  // CHECK-NEXT: kimi.weight @moe.experts.gate_proj : tensor<16x64x256xbf16> from "model.layers.{layer}.mlp.experts.{expert}.gate_proj.weight" layers 1 count 3 experts 16
  kimi.weight @moe.experts.gate_proj : tensor<16x64x256xbf16> from "model.layers.{layer}.mlp.experts.{expert}.gate_proj.weight" layers 1 count 3 experts 16
  // CHECK-NEXT: kimi.weight @moe.kv_b_key : tensor<4x24x32xbf16> from "model.layers.{layer}.self_attn.kv_b_proj.weight" layers 1 count 3 rows <groups = 4, of = 48, 0 to 24>
  kimi.weight @moe.kv_b_key : tensor<4x24x32xbf16> from "model.layers.{layer}.self_attn.kv_b_proj.weight" layers 1 count 3 rows <groups = 4, of = 48, 0 to 24>
  // CHECK-NEXT: kimi.weight @panels : tensor<96x256xbf16> from "panels.weight" layout #kernel.layout<panel, 16>
  kimi.weight @panels : tensor<96x256xbf16> from "panels.weight" layout #kernel.layout<panel, 16>
  // CHECK-NEXT: kimi.weight @codes : tensor<96x256xf8E4M3FN> from "codes.weight" quantised <codes 128 x 128>
  kimi.weight @codes : tensor<96x256xf8E4M3FN> from "codes.weight" quantised <codes 128 x 128>
  // CHECK-NEXT: kimi.weight @codes.scales : tensor<1x2xf32> from "codes.weight_scale_inv" quantised <scales 128 x 128>
  kimi.weight @codes.scales : tensor<1x2xf32> from "codes.weight_scale_inv" quantised <scales 128 x 128>
  // CHECK-NEXT: kimi.weight @nibbles : tensor<16x64x256xi4> from "e.{expert}.weight_packed" experts 16 quantised <codes 1 x 32>
  kimi.weight @nibbles : tensor<16x64x256xi4> from "e.{expert}.weight_packed" experts 16 quantised <codes 1 x 32>
  // CHECK-NEXT: kimi.cache @latent : !kimi.cache<48 x bf16> layers 4
  kimi.cache @latent : !kimi.cache<48 x bf16> layers 4

  // CHECK: func.func @dequantise
  func.func @dequantise(%c: tensor<576x256xf8E4M3FN>, %s: tensor<5x2xf32>, %n: tensor<2x4x64xi4>, %g: tensor<2x4x2xbf16>)
      -> (tensor<576x256xf32>, tensor<2x4x64xf32>) {
    // CHECK: kimi.dequantise %{{.*}}, %{{.*}} blocks 128 x 128 : tensor<576x256xf8E4M3FN>, tensor<5x2xf32> -> tensor<576x256xf32>
    %0 = kimi.dequantise %c, %s blocks 128 x 128 : tensor<576x256xf8E4M3FN>, tensor<5x2xf32> -> tensor<576x256xf32>
    // CHECK: kimi.dequantise %{{.*}}, %{{.*}} blocks 1 x 32 : tensor<2x4x64xi4>, tensor<2x4x2xbf16> -> tensor<2x4x64xf32>
    %1 = kimi.dequantise %n, %g blocks 1 x 32 : tensor<2x4x64xi4>, tensor<2x4x2xbf16> -> tensor<2x4x64xf32>
    return %0, %1 : tensor<576x256xf32>, tensor<2x4x64xf32>
  }

  // CHECK: func.func @loads
  func.func @loads(%layer: index) -> (tensor<640x256xbf16>, tensor<4x24x32xbf16>) {
    // CHECK: kimi.load_weight @embed_tokens : tensor<640x256xbf16>
    %table = kimi.load_weight @embed_tokens : tensor<640x256xbf16>
    // CHECK: kimi.load_weight @moe.kv_b_key[%{{.*}}] : tensor<4x24x32xbf16>
    %key = kimi.load_weight @moe.kv_b_key[%layer] : tensor<4x24x32xbf16>
    // CHECK: kimi.load_cache @latent[%{{.*}}] : <48 x bf16>
    %cache = kimi.load_cache @latent[%layer] : <48 x bf16>
    return %table, %key : tensor<640x256xbf16>, tensor<4x24x32xbf16>
  }

  // CHECK: func.func @entry() attributes {kimi.entry = #kimi.entry<decode, tokens = 8, sequences = 8, rows = 8>}
  func.func @entry() attributes {kimi.entry = #kimi.entry<decode, tokens = 8, sequences = 8, rows = 8>} {
    // CHECK: kimi.step_input <logprob_counts> : tensor<?xi32>
    %counts = kimi.step_input <logprob_counts> : tensor<?xi32>
    // CHECK: kimi.step_input <block_tables> : tensor<?x?xi32>
    %tables = kimi.step_input <block_tables> : tensor<?x?xi32>
    // CHECK: kimi.step_input <token_mask> : tensor<?x20xi32>
    %mask = kimi.step_input <token_mask> : tensor<?x20xi32>
    // CHECK: kimi.step_output <finite> %{{.*}} : tensor<?xi32>
    kimi.step_output <finite> %counts : tensor<?xi32>
    return
  }

  // CHECK: func.func @dense
  func.func @dense(%ids: tensor<?xi32>, %table: tensor<640x256xbf16>, %scale: tensor<256xbf16>,
                   %w: tensor<64x256xbf16>, %rows: tensor<?xi32>) -> tensor<?x64xf32> {
    // CHECK: kimi.embedding %{{.*}}, %{{.*}} : tensor<?xi32>, tensor<640x256xbf16> -> tensor<?x256xbf16>
    %h = kimi.embedding %ids, %table : tensor<?xi32>, tensor<640x256xbf16> -> tensor<?x256xbf16>
    // CHECK: kimi.rms_norm %{{.*}}, %{{.*}} eps 9.9999999999999995E-7 : tensor<?x256xbf16>, tensor<256xbf16> -> tensor<?x256xf32>
    %n = kimi.rms_norm %h, %scale eps 1.000000e-06 : tensor<?x256xbf16>, tensor<256xbf16> -> tensor<?x256xf32>
    // CHECK: kimi.round %{{.*}} : tensor<?x256xf32> -> tensor<?x256xbf16>
    %x = kimi.round %n : tensor<?x256xf32> -> tensor<?x256xbf16>
    // CHECK: kimi.add %{{.*}}, %{{.*}} : tensor<?x256xf32>, tensor<?x256xbf16> -> tensor<?x256xf32>
    %s = kimi.add %n, %x : tensor<?x256xf32>, tensor<?x256xbf16> -> tensor<?x256xf32>
    // CHECK: kimi.gather_rows %{{.*}}, %{{.*}} : tensor<?x256xf32>, tensor<?xi32> -> tensor<?x256xf32>
    %r = kimi.gather_rows %s, %rows : tensor<?x256xf32>, tensor<?xi32> -> tensor<?x256xf32>
    // CHECK: kimi.linear %{{.*}}, %{{.*}} : tensor<?x256xf32>, tensor<64x256xbf16> -> tensor<?x64xf32>
    %g = kimi.linear %r, %w : tensor<?x256xf32>, tensor<64x256xbf16> -> tensor<?x64xf32>
    // CHECK: kimi.swiglu %{{.*}}, %{{.*}} : tensor<?x64xf32>, tensor<?x64xf32> -> tensor<?x64xf32>
    %y = kimi.swiglu %g, %g : tensor<?x64xf32>, tensor<?x64xf32> -> tensor<?x64xf32>
    return %y : tensor<?x64xf32>
  }

  // CHECK: func.func @attention
  func.func @attention(%q: tensor<?x4x24xbf16>, %qr: tensor<?x4x16xbf16>, %wk: tensor<4x24x32xbf16>,
                       %wv: tensor<4x24x32xbf16>, %cache: !kimi.cache<48 x bf16>, %pos: tensor<?xi32>,
                       %seq: tensor<?xi32>, %off: tensor<?xi32>, %tables: tensor<?x?xi32>,
                       %table: tensor<4096x2x8xf32>, %slots: tensor<?xi32>, %c: tensor<?x32xbf16>,
                       %k: tensor<?x16xbf16>) -> (tensor<?x4x24xf32>, tensor<?x4x24xf32>) {
    // CHECK: kimi.rope %{{.*}}, %{{.*}}, %{{.*}} : tensor<?x4x16xbf16>, tensor<?xi32>, tensor<4096x2x8xf32> -> tensor<?x4x16xf32>
    %rotated = kimi.rope %qr, %pos, %table : tensor<?x4x16xbf16>, tensor<?xi32>, tensor<4096x2x8xf32> -> tensor<?x4x16xf32>
    // CHECK: kimi.cache_write %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : tensor<?xi32>, <48 x bf16>, tensor<?x32xbf16>, tensor<?x16xbf16>
    kimi.cache_write %slots, %cache, %c, %k : tensor<?xi32>, <48 x bf16>, tensor<?x32xbf16>, tensor<?x16xbf16>
    // CHECK: kimi.latent_attention {{.*}} scale 0.1308608 form <expanded> :
    %y = kimi.latent_attention %q, %qr, %wk, %wv, %cache, %pos, %seq, %off, %tables scale 1.308608e-01 form <expanded>
        : tensor<?x4x24xbf16>, tensor<?x4x16xbf16>, tensor<4x24x32xbf16>, tensor<4x24x32xbf16>, <48 x bf16>,
          tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32> -> tensor<?x4x24xf32>
    // CHECK: kimi.absorb_query %{{.*}}, %{{.*}} : tensor<?x4x24xbf16>, tensor<4x24x32xbf16> -> tensor<?x4x32xf32>
    %a = kimi.absorb_query %q, %wk : tensor<?x4x24xbf16>, tensor<4x24x32xbf16> -> tensor<?x4x32xf32>
    // CHECK: kimi.paged_attention {{.*}} scale 0.1308608 :
    %b = kimi.paged_attention %a, %qr, %cache, %pos, %seq, %tables scale 1.308608e-01
        : tensor<?x4x32xf32>, tensor<?x4x16xbf16>, <48 x bf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
          -> tensor<?x4x32xf32>
    // CHECK: kimi.expand_value %{{.*}}, %{{.*}} : tensor<?x4x32xf32>, tensor<4x24x32xbf16> -> tensor<?x4x24xf32>
    %z = kimi.expand_value %b, %wv : tensor<?x4x32xf32>, tensor<4x24x32xbf16> -> tensor<?x4x24xf32>
    return %y, %z : tensor<?x4x24xf32>, tensor<?x4x24xf32>
  }

  // CHECK: func.func @experts
  func.func @experts(%x: tensor<?x256xbf16>, %logits: tensor<?x16xf32>, %bias: tensor<16xf32>,
                     %up: tensor<16x64x256xbf16>, %down: tensor<16x256x64xbf16>) -> tensor<?x256xf32> {
    // CHECK: kimi.route_experts %{{.*}}, %{{.*}} groups 4 keep 2 normalise true scaling 2.500000e+00 : tensor<?x16xf32>, tensor<16xf32> -> tensor<?x4xi32>, tensor<?x4xf32>
    %ids, %w = kimi.route_experts %logits, %bias groups 4 keep 2 normalise true scaling 2.500000e+00
        : tensor<?x16xf32>, tensor<16xf32> -> tensor<?x4xi32>, tensor<?x4xf32>
    // CHECK: kimi.dispatch %{{.*}} : tensor<?x4xi32> -> tensor<?xi32>, tensor<?x4xi32>, tensor<17xi32>
    %rows, %slots, %off = kimi.dispatch %ids : tensor<?x4xi32> -> tensor<?xi32>, tensor<?x4xi32>, tensor<17xi32>
    // CHECK: kimi.expert_linear %{{.*}} rows %{{.*}} offsets %{{.*}}, %{{.*}} : tensor<?x256xbf16>, tensor<17xi32>, tensor<16x64x256xbf16>, tensor<?xi32> -> tensor<?x64xf32>
    %u = kimi.expert_linear %x rows %rows offsets %off, %up
        : tensor<?x256xbf16>, tensor<17xi32>, tensor<16x64x256xbf16>, tensor<?xi32> -> tensor<?x64xf32>
    // CHECK: kimi.expert_linear %{{.*}} offsets %{{.*}}, %{{.*}} : tensor<?x64xf32>, tensor<17xi32>, tensor<16x256x64xbf16> -> tensor<?x256xf32>
    %d = kimi.expert_linear %u offsets %off, %down
        : tensor<?x64xf32>, tensor<17xi32>, tensor<16x256x64xbf16> -> tensor<?x256xf32>
    // CHECK: kimi.combine %{{.*}}, %{{.*}}, %{{.*}} : tensor<?x256xf32>, tensor<?x4xi32>, tensor<?x4xf32> -> tensor<?x256xf32>
    %y = kimi.combine %d, %slots, %w : tensor<?x256xf32>, tensor<?x4xi32>, tensor<?x4xf32> -> tensor<?x256xf32>
    return %y : tensor<?x256xf32>
  }

  // CHECK: func.func @sample
  func.func @sample(%logits: tensor<?x640xf32>, %i: tensor<?xi32>, %f: tensor<?xf32>, %seeds: tensor<?x2xi32>,
                    %mask: tensor<?x20xi32>) -> tensor<?xi32> {
    // CHECK: kimi.sample %{{.*}} controls(%{{.*}}) : tensor<?x640xf32>, (tensor<?xf32>,
    %t, %lp, %ti, %tl, %ok = kimi.sample %logits
        controls (%f, %f, %f, %i, %seeds, %i, %i, %mask, %i, %i, %f, %i, %i, %i, %f, %f, %f, %i)
        : tensor<?x640xf32>, (tensor<?xf32>, tensor<?xf32>, tensor<?xf32>, tensor<?xi32>, tensor<?x2xi32>,
          tensor<?xi32>, tensor<?xi32>, tensor<?x20xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xf32>, tensor<?xi32>,
          tensor<?xi32>, tensor<?xi32>, tensor<?xf32>, tensor<?xf32>, tensor<?xf32>, tensor<?xi32>)
        -> tensor<?xi32>, tensor<?xf32>, tensor<?x20xi32>, tensor<?x20xf32>, tensor<?xi32>
    return %t : tensor<?xi32>
  }
}
