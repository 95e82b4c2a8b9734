// RUN: kimi-opt %s --kimi-fuse --kimi-peel-products --split-input-file | FileCheck %s

// Products of different activations become two kernels; the sums between them stay f32, and every operation is in one of
// the two.
// CHECK-LABEL: func.func private @f(
// CHECK: %[[G:.+]] = kernel.call @linear_64x32(%{{.+}}, %[[GW:.+]]) : (tensor<?x32xbf16>, tensor<64x32xbf16>) -> tensor<?x64xf32>
// CHECK: kernel.call @linear_add_round_64x32(%{{.+}}, %{{.+}}, %[[G]]) : (tensor<?x32xbf16>, tensor<64x32xbf16>, tensor<?x64xf32>) -> tensor<?x64xbf16>
// CHECK: kernel.func private @linear_64x32(
// CHECK-SAME: -> (tensor<?x64xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}) attributes {kernel.ops = ["linear"]}
// CHECK: kernel.func private @linear_add_round_64x32(
// CHECK-SAME: tensor<?x64xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}) -> (tensor<?x64xbf16>
// CHECK-SAME: kernel.ops = ["linear", "add", "round"]
module attributes {kimi.target = "cuda:sm_90a"} {
  kimi.weight @g : tensor<64x32xbf16> from "g"
  kimi.weight @u : tensor<64x32xbf16> from "u"
  func.func private @f(%h: tensor<?x32xbf16>, %z: tensor<?x32xbf16>) -> tensor<?x64xbf16> {
    %gw = kimi.load_weight @g : tensor<64x32xbf16>
    %g = kimi.linear %h, %gw : tensor<?x32xbf16>, tensor<64x32xbf16> -> tensor<?x64xf32>
    %uw = kimi.load_weight @u : tensor<64x32xbf16>
    %u = kimi.linear %z, %uw : tensor<?x32xbf16>, tensor<64x32xbf16> -> tensor<?x64xf32>
    %s = kimi.add %g, %u : tensor<?x64xf32>, tensor<?x64xf32> -> tensor<?x64xf32>
    %r = kimi.round %s : tensor<?x64xf32> -> tensor<?x64xbf16>
    return %r : tensor<?x64xbf16>
  }
}

// -----

// Gate and up are the same activations times weights of one form: the template takes both.
// CHECK-LABEL: func.func private @twins(
// CHECK-NOT: kernel.call @linear_64x32(
// CHECK: kernel.call @linear_swiglu_round_64x32(%{{.+}}, %{{.+}}, %{{.+}}) : (tensor<?x32xbf16>, tensor<64x32xbf16>, tensor<64x32xbf16>) -> tensor<?x64xbf16>
module attributes {kimi.target = "cuda:sm_90a"} {
  kimi.weight @g : tensor<64x32xbf16> from "g"
  kimi.weight @u : tensor<64x32xbf16> from "u"
  func.func private @twins(%h: tensor<?x32xbf16>) -> tensor<?x64xbf16> {
    %gw = kimi.load_weight @g : tensor<64x32xbf16>
    %g = kimi.linear %h, %gw : tensor<?x32xbf16>, tensor<64x32xbf16> -> tensor<?x64xf32>
    %uw = kimi.load_weight @u : tensor<64x32xbf16>
    %u = kimi.linear %h, %uw : tensor<?x32xbf16>, tensor<64x32xbf16> -> tensor<?x64xf32>
    %s = kimi.swiglu %g, %u : tensor<?x64xf32>, tensor<?x64xf32> -> tensor<?x64xf32>
    %r = kimi.round %s : tensor<?x64xf32> -> tensor<?x64xbf16>
    return %r : tensor<?x64xbf16>
  }
}

// -----

// Where generated code is wanted, or the target has no template, the kernel stays whole.
// CHECK-LABEL: func.func private @generated(
// CHECK-NOT: kernel.call @linear_64x32(
// CHECK: kernel.call @linear_swiglu_64x32(
module attributes {kimi.target = "cuda:sm_90a", kimi.overrides = ["linear=generated"]} {
  kimi.weight @g : tensor<64x32xbf16> from "g"
  func.func private @generated(%h: tensor<?x32xbf16>) -> tensor<?x64xf32> {
    %w = kimi.load_weight @g : tensor<64x32xbf16>
    %g = kimi.linear %h, %w : tensor<?x32xbf16>, tensor<64x32xbf16> -> tensor<?x64xf32>
    %u = kimi.linear %h, %w : tensor<?x32xbf16>, tensor<64x32xbf16> -> tensor<?x64xf32>
    %s = kimi.swiglu %g, %u : tensor<?x64xf32>, tensor<?x64xf32> -> tensor<?x64xf32>
    return %s : tensor<?x64xf32>
  }
}

// -----

// CHECK-LABEL: func.func private @cpu(
// CHECK-NOT: kernel.call @linear_64x32(
// CHECK: kernel.call @linear_swiglu_64x32(
module {
  kimi.weight @g : tensor<64x32xbf16> from "g"
  func.func private @cpu(%h: tensor<?x32xbf16>) -> tensor<?x64xf32> {
    %w = kimi.load_weight @g : tensor<64x32xbf16>
    %g = kimi.linear %h, %w : tensor<?x32xbf16>, tensor<64x32xbf16> -> tensor<?x64xf32>
    %u = kimi.linear %h, %w : tensor<?x32xbf16>, tensor<64x32xbf16> -> tensor<?x64xf32>
    %s = kimi.swiglu %g, %u : tensor<?x64xf32>, tensor<?x64xf32> -> tensor<?x64xf32>
    return %s : tensor<?x64xf32>
  }
}
