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

// -----

// Attention: tokens and heads of one task, by target.
// CHECK: kernel.func private @paged_attention_16x32
// CHECK-SAME: impl = #kernel.impl<"generated", {tile = array<i64: 1, 8>}>
func.func private @f(%q: tensor<?x16x32xf32>, %r: tensor<?x16x16xbf16>, %cache: !kimi.cache<48 x bf16>, %p: tensor<?xi32>,
                     %s: tensor<?xi32>, %tables: tensor<?x?xi32>) -> tensor<?x16x32xf32> {
  %y = kimi.paged_attention %q, %r, %cache, %p, %s, %tables scale 1.250000e-01
      : tensor<?x16x32xf32>, tensor<?x16x16xbf16>, <48 x bf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
        -> tensor<?x16x32xf32>
  return %y : tensor<?x16x32xf32>
}

// -----

// CHECK: kernel.func private @paged_attention_16x32
// CHECK-SAME: impl = #kernel.impl<"generated", {tile = array<i64: 1, 4>}>
module attributes {kimi.target = "cuda:sm_80"} {
  func.func private @f(%q: tensor<?x16x32xf32>, %r: tensor<?x16x16xbf16>, %cache: !kimi.cache<48 x bf16>, %p: tensor<?xi32>,
                       %s: tensor<?xi32>, %tables: tensor<?x?xi32>) -> tensor<?x16x32xf32> {
    %y = kimi.paged_attention %q, %r, %cache, %p, %s, %tables scale 1.250000e-01
        : tensor<?x16x32xf32>, tensor<?x16x16xbf16>, <48 x bf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
          -> tensor<?x16x32xf32>
    return %y : tensor<?x16x32xf32>
  }
}
