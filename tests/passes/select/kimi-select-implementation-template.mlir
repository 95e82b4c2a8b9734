// RUN: kimi-opt %s --kimi-fuse --kimi-select-implementation --split-input-file --verify-diagnostics | FileCheck %s

// Entries of up to 8 tokens share one tuned copy, and one copy of the function on the way to it; more tokens than the
// template serves run what is generated.
// CHECK-LABEL: func.func private @layer(
// CHECK: kernel.call @linear_round_64x64(
// CHECK: func.func private @layer_upto16(
// CHECK: kernel.call @linear_round_64x64_upto16(
// CHECK: func.func private @layer_upto8(
// CHECK: kernel.call @linear_round_64x64_upto8(
// CHECK: func.func @decode_1()
// CHECK: call @layer_upto8(
// CHECK: func.func @decode_4()
// CHECK: call @layer_upto8(
// CHECK: func.func @decode_16()
// CHECK: call @layer_upto16(
// CHECK: func.func @mixed_256()
// CHECK: call @layer(
// CHECK: kernel.func private @linear_round_64x64({{.*}}impl = #kernel.impl<"generated"
// CHECK: kernel.func private @linear_round_64x64_upto16(
// CHECK-SAME: impl = #kernel.impl<"skinny_gemm", {accumulators = 1 : i64, depth_groups = 1 : i64, lead = 0 : i64, residency = {{[0-9]+}} : i64, row_tiles = 1 : i64, rows = 16 : i64, split = 1 : i64, successors = 0 : i64, token_blocks = 1 : i64, token_rows = 0 : i64, token_stages = {{[0-9]+}} : i64, token_tile = 16 : i64, weight_stages = {{[0-9]+}} : i64, weights_first = 0 : i64}>
// CHECK: kernel.func private @linear_round_64x64_upto8(
// CHECK-SAME: rows = 8 : i64
// CHECK: kernel.func private @embedding_128x64({{.*}}impl = #kernel.impl<"generated"
module attributes {kimi.target = "cuda:sm_90a"} {
  kimi.weight @e : tensor<128x64xbf16> from "e"
  kimi.weight @w : tensor<64x64xbf16> from "w.{layer}" layers 0 count 1
  func.func private @layer(%h: tensor<?x64xbf16>, %l: index) -> tensor<?x64xbf16> {
    %w = kimi.load_weight @w[%l] : tensor<64x64xbf16>
    %a = kimi.linear %h, %w : tensor<?x64xbf16>, tensor<64x64xbf16> -> tensor<?x64xf32>
    %r = kimi.round %a : tensor<?x64xf32> -> tensor<?x64xbf16>
    return %r : tensor<?x64xbf16>
  }
  func.func @decode_1() attributes {kimi.entry = #kimi.entry<decode, tokens = 1, sequences = 1, rows = 1>} {
    %c0 = arith.constant 0 : index
    %e = kimi.load_weight @e : tensor<128x64xbf16>
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kimi.embedding %ids, %e : tensor<?xi32>, tensor<128x64xbf16> -> tensor<?x64xbf16>
    %y = call @layer(%h, %c0) : (tensor<?x64xbf16>, index) -> tensor<?x64xbf16>
    return
  }
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>} {
    %c0 = arith.constant 0 : index
    %e = kimi.load_weight @e : tensor<128x64xbf16>
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kimi.embedding %ids, %e : tensor<?xi32>, tensor<128x64xbf16> -> tensor<?x64xbf16>
    %y = call @layer(%h, %c0) : (tensor<?x64xbf16>, index) -> tensor<?x64xbf16>
    return
  }
  func.func @decode_16() attributes {kimi.entry = #kimi.entry<decode, tokens = 16, sequences = 16, rows = 16>} {
    %c0 = arith.constant 0 : index
    %e = kimi.load_weight @e : tensor<128x64xbf16>
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kimi.embedding %ids, %e : tensor<?xi32>, tensor<128x64xbf16> -> tensor<?x64xbf16>
    %y = call @layer(%h, %c0) : (tensor<?x64xbf16>, index) -> tensor<?x64xbf16>
    return
  }
  func.func @mixed_256() attributes {kimi.entry = #kimi.entry<mixed, tokens = 256, sequences = 16, rows = 16>} {
    %c0 = arith.constant 0 : index
    %e = kimi.load_weight @e : tensor<128x64xbf16>
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kimi.embedding %ids, %e : tensor<?xi32>, tensor<128x64xbf16> -> tensor<?x64xbf16>
    %y = call @layer(%h, %c0) : (tensor<?x64xbf16>, index) -> tensor<?x64xbf16>
    return
  }
}

// -----

// Two products with one template: a call holds both their sums.
// CHECK: func.func @decode_1()
// CHECK: kernel.call @linear_swiglu_round_96x64_upto8(%{{.+}}, %{{.+}}, %{{.+}}) : (tensor<?x64xbf16>, tensor<96x64xbf16>, tensor<96x64xbf16>) -> tensor<?x96xbf16>
// CHECK: kernel.func private @linear_swiglu_round_96x64_upto8({{.*}}impl = #kernel.impl<"skinny_gemm"
module attributes {kimi.target = "cuda:sm_80"} {
  kimi.weight @e : tensor<128x64xbf16> from "e"
  kimi.weight @g : tensor<96x64xbf16> from "g"
  kimi.weight @u : tensor<96x64xbf16> from "u"
  func.func @decode_1() attributes {kimi.entry = #kimi.entry<decode, tokens = 1, sequences = 1, rows = 1>} {
    %e = kimi.load_weight @e : tensor<128x64xbf16>
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kimi.embedding %ids, %e : tensor<?xi32>, tensor<128x64xbf16> -> tensor<?x64xbf16>
    %gw = kimi.load_weight @g : tensor<96x64xbf16>
    %g = kimi.linear %h, %gw : tensor<?x64xbf16>, tensor<96x64xbf16> -> tensor<?x96xf32>
    %uw = kimi.load_weight @u : tensor<96x64xbf16>
    %u = kimi.linear %h, %uw : tensor<?x64xbf16>, tensor<96x64xbf16> -> tensor<?x96xf32>
    %s = kimi.swiglu %g, %u : tensor<?x96xf32>, tensor<?x96xf32> -> tensor<?x96xf32>
    %r = kimi.round %s : tensor<?x96xf32> -> tensor<?x96xbf16>
    call @sink(%r) : (tensor<?x96xbf16>) -> ()
    return
  }
  func.func private @sink(%a: tensor<?x96xbf16>) {
    return
  }
}

// -----

// What names an operation counts more than what is said of all.
// expected-error @+1 {{--impl linear=skinny_gemm: skinny_gemm can serve no kernel of this plan: kernel 'linear_64x60': skinny_gemm reads rows by tensor copies, whose strides are multiples of 16 bytes: depth 60 is no multiple of 8; use another implementation or pad the weight; use generated}}
module attributes {kimi.target = "cuda:sm_90a", kimi.overrides = ["*=generated", "linear=skinny_gemm"]} {
  kimi.weight @e : tensor<128x60xbf16> from "e"
  kimi.weight @w : tensor<64x60xbf16> from "w"
  func.func @decode_1() attributes {kimi.entry = #kimi.entry<decode, tokens = 1, sequences = 1, rows = 1>} {
    %e = kimi.load_weight @e : tensor<128x60xbf16>
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kimi.embedding %ids, %e : tensor<?xi32>, tensor<128x60xbf16> -> tensor<?x60xbf16>
    %w = kimi.load_weight @w : tensor<64x60xbf16>
    %a = kimi.linear %h, %w : tensor<?x60xbf16>, tensor<64x60xbf16> -> tensor<?x64xf32>
    call @sink(%a) : (tensor<?x64xf32>) -> ()
    return
  }
  func.func private @sink(%a: tensor<?x64xf32>) {
    return
  }
}

// -----

// expected-error @+1 {{--impl linear=skinny_gemm: 'linear' has no implementation 'skinny_gemm'; it can be served by: generated}}
module attributes {kimi.target = "cpu", kimi.overrides = ["linear=skinny_gemm"]} {
  kimi.weight @w : tensor<32x8xbf16> from "w"
  func.func private @f(%h: tensor<?x8xbf16>) -> tensor<?x32xf32> {
    %w = kimi.load_weight @w : tensor<32x8xbf16>
    %a = kimi.linear %h, %w : tensor<?x8xbf16>, tensor<32x8xbf16> -> tensor<?x32xf32>
    return %a : tensor<?x32xf32>
  }
}

// -----

// Weights that stay where the checkpoint has them are read by generated code alone; to ask for more is an error.
// expected-error @+1 {{--impl linear=skinny_gemm: 'linear' has no implementation 'skinny_gemm'; it can be served by: generated}}
module attributes {kimi.target = "cuda:sm_90a", kimi.weights = "reference", kimi.overrides = ["linear=skinny_gemm"]} {
  kimi.weight @w : tensor<64x64xbf16> from "w"
  func.func private @f(%h: tensor<?x64xbf16>) -> tensor<?x64xf32> {
    %w = kimi.load_weight @w : tensor<64x64xbf16>
    %a = kimi.linear %h, %w : tensor<?x64xbf16>, tensor<64x64xbf16> -> tensor<?x64xf32>
    return %a : tensor<?x64xf32>
  }
}
