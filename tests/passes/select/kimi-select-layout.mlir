// RUN: kimi-opt %s --kimi-fuse --kimi-select-layout --split-input-file | FileCheck %s

// 32 columns make two panels; 12 columns make none, so that weight stays as it is.
// CHECK: kimi.weight @w {{.*}} layout #kernel.layout<panel, 16>
// CHECK: kimi.weight @odd {{.*}} layout #kernel.layout<row_major, 1>
kimi.weight @w : tensor<32x8xbf16> from "w"
kimi.weight @odd : tensor<12x8xbf16> from "odd"

// CHECK: kernel.func private @linear_round_32x8({{.*}}tensor<2x8x16xbf16> {kernel.weight = tensor<32x8xbf16>}
// The rounding behind the product works on split columns, too.
// CHECK: arith.truncf
// CHECK: } -> tensor<?x2x16xbf16>
// CHECK: tensor.collapse_shape
func.func private @f(%h: tensor<?x8xbf16>) -> (tensor<?x32xbf16>, tensor<?x12xf32>) {
  %w = kimi.load_weight @w : tensor<32x8xbf16>
  %a = kimi.linear %h, %w : tensor<?x8xbf16>, tensor<32x8xbf16> -> tensor<?x32xf32>
  %r = kimi.round %a : tensor<?x32xf32> -> tensor<?x32xbf16>
  %o = kimi.load_weight @odd : tensor<12x8xbf16>
  %b = kimi.linear %h, %o : tensor<?x8xbf16>, tensor<12x8xbf16> -> tensor<?x12xf32>
  return %r, %b : tensor<?x32xbf16>, tensor<?x12xf32>
}

// -----

// A weight that is also looked up row by row cannot be cut into panels for its product.
// CHECK: kimi.weight @tied {{.*}} layout #kernel.layout<row_major, 1>
kimi.weight @tied : tensor<32x8xbf16> from "tied"
func.func private @head(%ids: tensor<?xi32>) -> tensor<?x32xf32> {
  %w = kimi.load_weight @tied : tensor<32x8xbf16>
  %h = kimi.embedding %ids, %w : tensor<?xi32>, tensor<32x8xbf16> -> tensor<?x8xbf16>
  %l = kimi.linear %h, %w : tensor<?x8xbf16>, tensor<32x8xbf16> -> tensor<?x32xf32>
  return %l : tensor<?x32xf32>
}
