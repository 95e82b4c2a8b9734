// RUN: kimi-opt %s --kimi-fuse --kimi-estimate-cost | FileCheck %s

// Bytes: x (8 bf16 a token), the weight once (32 * 8 bf16), the result (32 f32 a token). FLOPs: 2 * 32 * 8 a token.
// CHECK: kernel.func private @linear_32x8
// CHECK-SAME: bytes = [#kernel.cost_term<tokens * 1 cap 0 each 16>, #kernel.cost_term<one * 1 cap 0 each 512>, #kernel.cost_term<tokens * 1 cap 0 each 128>]
// CHECK-SAME: flops = [#kernel.cost_term<tokens * 1 cap 0 each 512>]
kimi.weight @w : tensor<32x8xbf16> from "w"
func.func private @f(%h: tensor<?x8xbf16>) -> tensor<?x32xf32> {
  %w = kimi.load_weight @w : tensor<32x8xbf16>
  %a = kimi.linear %h, %w : tensor<?x8xbf16>, tensor<32x8xbf16> -> tensor<?x32xf32>
  return %a : tensor<?x32xf32>
}
