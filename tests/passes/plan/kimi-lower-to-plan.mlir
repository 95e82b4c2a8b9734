// RUN: kimi-opt %s --kimi-lower-to-plan | FileCheck %s

module @m attributes {kimi.code = "a.so"} {
  // CHECK: module @m attributes {kimi.code = "a.so"}
  // CHECK-NEXT: plan.weight @moe.q : tensor<2x32x16xbf16> packs tensor<32x32xbf16> layout <panel, 16> from "layers.{layer}.q" layers 1 count 2
  // A weight and a kernel that no launch uses are gone.
  // CHECK-NEXT: plan.cache @latent : !kimi.cache<48 x bf16> layers 3
  // CHECK-NEXT: plan.kernel @linear_32x32 impl <"generated", {tile = [4]}>
  // CHECK-NEXT: plan.kernel @embedding
  // CHECK-NEXT: plan.kernel @logits
  // CHECK-NEXT: plan.block
  kimi.weight @moe.q : tensor<32x32xbf16> from "layers.{layer}.q" layers 1 count 2 layout #kernel.layout<panel, 16>
  kimi.weight @unused : tensor<8xbf16> from "x"
  kimi.cache @latent : !kimi.cache<48 x bf16> layers 3
  kernel.func private @linear(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}, %a1: tensor<2x32x16xbf16> {kernel.weight = tensor<32x32xbf16>}, %a2: memref<?x64x48xbf16> {kernel.dims = [#kernel.extent<cache_blocks * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      attributes {impl = #kernel.impl<"generated", {tile = [4]}>, kernel.grid = [#kernel.extent<tokens * 1 by 4>], kernel.symbol = "linear_32x32"}
  kernel.func private @embedding(%a0: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      attributes {impl = #kernel.impl<"generated", {tile = [4]}>, kernel.grid = [#kernel.extent<tokens * 1 by 4>], kernel.symbol = "embedding"}
  kernel.func private @logits(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x50xf32> {kernel.dims = [#kernel.extent<logit_rows * 1 by 1>]})
      attributes {impl = #kernel.impl<"generated", {tile = [4]}>, kernel.grid = [#kernel.extent<tokens * 1 by 4>], kernel.symbol = "logits"}
  kernel.func private @idle(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      attributes {impl = #kernel.impl<"generated", {tile = [4]}>, kernel.grid = [#kernel.extent<tokens * 1 by 4>], kernel.symbol = "idle"}
  // CHECK-SAME: @layer.decode_4 {
  // CHECK-NEXT: plan.launch @linear_32x32 grid [tokens by 4] (arena 0 bytes 256, weight @moe.q, cache @latent) -> (arena 256 bytes 256)
  // CHECK-NEXT: plan.launch @linear_32x32 grid [tokens by 4] (arena 256 bytes 256, weight @moe.q, cache @latent) -> (arena 0 bytes 256)
  // CHECK-NEXT: }
  func.func private @layer.decode_4(%h: tensor<?x32xbf16> {plan.argument = #plan.arena<0 bytes 256>}, %layer: index) -> tensor<?x32xbf16> {
    %w = kimi.load_weight @moe.q[%layer] : tensor<32x32xbf16>
    %c = kimi.load_cache @latent[%layer] : !kimi.cache<48 x bf16>
    %b = kernel.call @linear(%h, %w, %c) {plan.results = [#plan.arena<256 bytes 256>]} : (tensor<?x32xbf16>, tensor<32x32xbf16>, !kimi.cache<48 x bf16>) -> tensor<?x32xbf16>
    %d = kernel.call @linear(%b, %w, %c) {plan.results = [#plan.arena<0 bytes 256>]} : (tensor<?x32xbf16>, tensor<32x32xbf16>, !kimi.cache<48 x bf16>) -> tensor<?x32xbf16>
    return %d : tensor<?x32xbf16>
  }
  // CHECK-NEXT: plan.entry @decode_4 <decode> capacity <tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0> arena 1024 {
  // CHECK-NEXT: plan.launch @embedding grid [tokens by 4] (input token_ids) -> (arena 0 bytes 256)
  // CHECK-NEXT: plan.call @layer.decode_4 layer 1
  // CHECK-NEXT: plan.call @layer.decode_4 layer 2
  // CHECK-NEXT: plan.launch @logits grid [tokens by 4] (arena 0 bytes 256) -> (output logits)
  // CHECK-NEXT: }
  // CHECK-NEXT: }
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>, plan.arena_bytes = 1024 : i64,
      plan.capacity = #plan.capacity<tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0>} {
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kernel.call @embedding(%ids) {plan.results = [#plan.arena<0 bytes 256>]} : (tensor<?xi32>) -> tensor<?x32xbf16>
    %h1 = call @layer.decode_4(%h, %c1) {plan.results = [#plan.arena<0 bytes 256>]} : (tensor<?x32xbf16>, index) -> tensor<?x32xbf16>
    %h2 = call @layer.decode_4(%h1, %c2) {plan.results = [#plan.arena<0 bytes 256>]} : (tensor<?x32xbf16>, index) -> tensor<?x32xbf16>
    %l = kernel.call @logits(%h2) {plan.results = [#kimi.step_output<logits>]} : (tensor<?x32xbf16>) -> tensor<?x50xf32>
    kimi.step_output <logits> %l : tensor<?x50xf32>
    return
  }
}
