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

// -----

// Codes lie in panels like the values they stand for. Scales of whole blocks stay as they are; scales of single rows lie
// like the codes. Nibbles are bytes from here on.
// CHECK: kimi.weight @c {{.*}} layout #kernel.layout<panel, 16>
// CHECK: kimi.weight @c.scales {{.*}} layout #kernel.layout<row_major, 1>
// CHECK: kimi.weight @n {{.*}} layout #kernel.layout<panel, 16>
// CHECK: kimi.weight @n.scales {{.*}} layout #kernel.layout<panel, 16>
// CHECK: kimi.weight @odd {{.*}} layout #kernel.layout<row_major, 1>
kimi.weight @c : tensor<576x200xf8E4M3FN> from "c" quantised <codes 128 x 128>
kimi.weight @c.scales : tensor<5x2xf32> from "c.scales" quantised <scales 128 x 128>
kimi.weight @n : tensor<32x64xi4> from "n" quantised <codes 1 x 32>
kimi.weight @n.scales : tensor<32x2xbf16> from "n.scales" quantised <scales 1 x 32>
kimi.weight @odd : tensor<12x64xi4> from "odd" quantised <codes 1 x 32>
kimi.weight @odd.scales : tensor<12x2xbf16> from "odd.scales" quantised <scales 1 x 32>

func.func private @quantised(%h: tensor<?x200xbf16>, %g: tensor<?x64xbf16>) -> (tensor<?x576xf32>, tensor<?x32xf32>, tensor<?x12xf32>) {
  %c = kimi.load_weight @c : tensor<576x200xf8E4M3FN>
  %cs = kimi.load_weight @c.scales : tensor<5x2xf32>
  %cw = kimi.dequantise %c, %cs blocks 128 x 128 : tensor<576x200xf8E4M3FN>, tensor<5x2xf32> -> tensor<576x200xf32>
  %0 = kimi.linear %h, %cw : tensor<?x200xbf16>, tensor<576x200xf32> -> tensor<?x576xf32>
  %n = kimi.load_weight @n : tensor<32x64xi4>
  %ns = kimi.load_weight @n.scales : tensor<32x2xbf16>
  %nw = kimi.dequantise %n, %ns blocks 1 x 32 : tensor<32x64xi4>, tensor<32x2xbf16> -> tensor<32x64xf32>
  %1 = kimi.linear %g, %nw : tensor<?x64xbf16>, tensor<32x64xf32> -> tensor<?x32xf32>
  %o = kimi.load_weight @odd : tensor<12x64xi4>
  %os = kimi.load_weight @odd.scales : tensor<12x2xbf16>
  %ow = kimi.dequantise %o, %os blocks 1 x 32 : tensor<12x64xi4>, tensor<12x2xbf16> -> tensor<12x64xf32>
  %2 = kimi.linear %g, %ow : tensor<?x64xbf16>, tensor<12x64xf32> -> tensor<?x12xf32>
  return %0, %1, %2 : tensor<?x576xf32>, tensor<?x32xf32>, tensor<?x12xf32>
}
// CHECK-DAG: kernel.dequantise {{.*}} blocks 128 x 128 panels : tensor<36x200x16xf8E4M3FN>, tensor<5x2xf32> -> tensor<36x200x16xf32>
// CHECK-DAG: kernel.dequantise {{.*}} blocks 1 x 32 panels : tensor<2x32x16xi8>, tensor<2x2x16xbf16> -> tensor<2x64x16xf32>
// CHECK-DAG: kernel.dequantise {{.*}} blocks 1 x 32 : tensor<12x32xi8>, tensor<12x2xbf16> -> tensor<12x64xf32>
