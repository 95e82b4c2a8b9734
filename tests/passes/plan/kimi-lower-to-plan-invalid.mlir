// RUN: kimi-opt %s --kimi-lower-to-plan -split-input-file -verify-diagnostics

module @not_assigned {
  // expected-error @+1 {{'decode_4' has no plan.arena_bytes: run kimi-assign-buffers first}}
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>} {

    return
  }
}

// -----

module @no_grid {
  kernel.func private @embedding(%a0: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>, plan.arena_bytes = 1024 : i64,
      plan.capacity = #plan.capacity<tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    // expected-error @+1 {{'embedding' has no kernel.grid: run codegen first}}
    %h = kernel.call @embedding(%ids) {plan.results = [#plan.arena<0 bytes 256>]} : (tensor<?xi32>) -> tensor<?x32xbf16>
    return
  }
}

// -----

module @no_buffer {
  kernel.func private @embedding(%a0: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      attributes {impl = #kernel.impl<"generated", {tile = [4]}>, kernel.grid = [#kernel.extent<tokens * 1 by 4>], kernel.symbol = "embedding"}
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>, plan.arena_bytes = 1024 : i64,
      plan.capacity = #plan.capacity<tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    // expected-error @+1 {{'embedding' has no plan.results: run kimi-assign-buffers first}}
    %h = kernel.call @embedding(%ids) : (tensor<?xi32>) -> tensor<?x32xbf16>
    return
  }
}

// -----

module @no_implementation {
  // expected-error @+1 {{'embedding' has no implementation: run select first}}
  kernel.func private @embedding(%a0: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      attributes {kernel.grid = [#kernel.extent<tokens * 1 by 4>], kernel.symbol = "embedding"}
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>, plan.arena_bytes = 1024 : i64,
      plan.capacity = #plan.capacity<tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kernel.call @embedding(%ids) {plan.results = [#plan.arena<0 bytes 256>]} : (tensor<?xi32>) -> tensor<?x32xbf16>
    return
  }
}

// -----

module @other_layout {
  kimi.weight @moe.q : tensor<32x32xbf16> from "layers.{layer}.q" layers 1 count 2
  kimi.cache @latent : !kimi.cache<48 x bf16> layers 3
  kernel.func private @linear(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}, %a1: tensor<2x32x16xbf16> {kernel.weight = tensor<32x32xbf16>}, %a2: memref<?x64x48xbf16> {kernel.dims = [#kernel.extent<cache_blocks * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      attributes {impl = #kernel.impl<"generated", {tile = [4]}>, kernel.grid = [#kernel.extent<tokens * 1 by 4>], kernel.symbol = "linear_32x32"}
  func.func private @layer(%h: tensor<?x32xbf16> {plan.argument = #plan.arena<0 bytes 256>}, %layer: index) -> tensor<?x32xbf16> {
    %w = kimi.load_weight @moe.q[%layer] : tensor<32x32xbf16>
    %c = kimi.load_cache @latent[%layer] : !kimi.cache<48 x bf16>
    // expected-error @+1 {{'linear' reads 'moe.q' as 'tensor<2x32x16xbf16>' but it lies as 'tensor<32x32xbf16>'}}
    %b = kernel.call @linear(%h, %w, %c) {plan.results = [#plan.arena<256 bytes 256>]} : (tensor<?x32xbf16>, tensor<32x32xbf16>, !kimi.cache<48 x bf16>) -> tensor<?x32xbf16>
    return %b : tensor<?x32xbf16>
  }
}

// -----

module @no_shape {
  kimi.weight @moe.q : tensor<32x32xbf16> from "layers.{layer}.q" layers 1 count 2 layout #kernel.layout<panel, 24>
  kimi.cache @latent : !kimi.cache<48 x bf16> layers 3
  kernel.func private @linear(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}, %a1: tensor<2x32x16xbf16> {kernel.weight = tensor<32x32xbf16>}, %a2: memref<?x64x48xbf16> {kernel.dims = [#kernel.extent<cache_blocks * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      attributes {impl = #kernel.impl<"generated", {tile = [4]}>, kernel.grid = [#kernel.extent<tokens * 1 by 4>], kernel.symbol = "linear_32x32"}
  func.func private @layer(%h: tensor<?x32xbf16> {plan.argument = #plan.arena<0 bytes 256>}, %layer: index) -> tensor<?x32xbf16> {
    %w = kimi.load_weight @moe.q[%layer] : tensor<32x32xbf16>
    %c = kimi.load_cache @latent[%layer] : !kimi.cache<48 x bf16>
    // expected-error @+1 {{'linear' reads 'moe.q' as 'tensor<2x32x16xbf16>' but it lies as #kernel.layout<panel, 24> of 'tensor<32x32xbf16>', which is no shape}}
    %b = kernel.call @linear(%h, %w, %c) {plan.results = [#plan.arena<256 bytes 256>]} : (tensor<?x32xbf16>, tensor<32x32xbf16>, !kimi.cache<48 x bf16>) -> tensor<?x32xbf16>
    return %b : tensor<?x32xbf16>
  }
}

// -----

module @fixed_layer {
  kimi.weight @moe.q : tensor<32x32xbf16> from "layers.{layer}.q" layers 1 count 2 layout #kernel.layout<panel, 16>
  kimi.cache @latent : !kimi.cache<48 x bf16> layers 3
  kernel.func private @linear(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}, %a1: tensor<2x32x16xbf16> {kernel.weight = tensor<32x32xbf16>}, %a2: memref<?x64x48xbf16> {kernel.dims = [#kernel.extent<cache_blocks * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      attributes {impl = #kernel.impl<"generated", {tile = [4]}>, kernel.grid = [#kernel.extent<tokens * 1 by 4>], kernel.symbol = "linear_32x32"}
  func.func private @layer(%h: tensor<?x32xbf16> {plan.argument = #plan.arena<0 bytes 256>}, %layer: index) -> tensor<?x32xbf16> {
    %c2 = arith.constant 2 : index
    // expected-error @+1 {{loads a layer that is not the layer its function is called for: a plan cannot say that}}
    %w = kimi.load_weight @moe.q[%c2] : tensor<32x32xbf16>
    %c = kimi.load_cache @latent[%layer] : !kimi.cache<48 x bf16>
    %b = kernel.call @linear(%h, %w, %c) {plan.results = [#plan.arena<256 bytes 256>]} : (tensor<?x32xbf16>, tensor<32x32xbf16>, !kimi.cache<48 x bf16>) -> tensor<?x32xbf16>
    return %b : tensor<?x32xbf16>
  }
}

// -----

module @run_time_layer {
  kernel.func private @embedding(%a0: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      attributes {impl = #kernel.impl<"generated", {tile = [4]}>, kernel.grid = [#kernel.extent<tokens * 1 by 4>], kernel.symbol = "embedding"}
  func.func private @layer(%h: tensor<?x32xbf16>, %layer: index) -> tensor<?x32xbf16> {
    return %h : tensor<?x32xbf16>
  }
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>, plan.arena_bytes = 1024 : i64,
      plan.capacity = #plan.capacity<tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kernel.call @embedding(%ids) {plan.results = [#plan.arena<0 bytes 256>]} : (tensor<?xi32>) -> tensor<?x32xbf16>
    %x = tensor.dim %h, %c0 : tensor<?x32xbf16>
    // expected-error @+1 {{'layer' is called for a layer that is no constant}}
    %h1 = call @layer(%h, %x) {plan.results = [#plan.arena<0 bytes 256>]} : (tensor<?x32xbf16>, index) -> tensor<?x32xbf16>
    return
  }
}
