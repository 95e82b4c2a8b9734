// RUN: kimi-opt %s --kimi-fuse --kimi-select-implementation --split-input-file --verify-diagnostics | FileCheck %s

kimi.weight @w : tensor<32x8xbf16> from "w"
// CHECK: kernel.func private @linear_32x8
// CHECK-SAME: impl = #kernel.impl<"generated", {tile = array<i64: 32, 64>}>
func.func private @f(%h: tensor<?x8xbf16>) -> tensor<?x32xf32> {
  %w = kimi.load_weight @w : tensor<32x8xbf16>
  %a = kimi.linear %h, %w : tensor<?x8xbf16>, tensor<32x8xbf16> -> tensor<?x32xf32>
  return %a : tensor<?x32xf32>
}

// -----

// expected-error @+1 {{--impl rope=generated: no kernel holds an operation 'rope'; operations here: linear}}
module attributes {kimi.overrides = ["rope=generated"]} {
  kimi.weight @w : tensor<32x8xbf16> from "w"
  func.func private @f(%h: tensor<?x8xbf16>) -> tensor<?x32xf32> {
    %w = kimi.load_weight @w : tensor<32x8xbf16>
    %a = kimi.linear %h, %w : tensor<?x8xbf16>, tensor<32x8xbf16> -> tensor<?x32xf32>
    return %a : tensor<?x32xf32>
  }
}

// -----

// expected-error @+1 {{--impl linear=magic: 'linear' has no implementation 'magic'; it can be served by: generated}}
module attributes {kimi.overrides = ["*=generated", "linear=magic"]} {
  kimi.weight @w : tensor<32x8xbf16> from "w"
  func.func private @f(%h: tensor<?x8xbf16>) -> tensor<?x32xf32> {
    %w = kimi.load_weight @w : tensor<32x8xbf16>
    %a = kimi.linear %h, %w : tensor<?x8xbf16>, tensor<32x8xbf16> -> tensor<?x32xf32>
    return %a : tensor<?x32xf32>
  }
}
