// RUN: kimi-opt %s --kimi-fuse --split-input-file --verify-diagnostics | FileCheck %s

kimi.weight @n : tensor<8xbf16> from "n"
kimi.weight @g : tensor<32x8xbf16> from "g"
kimi.weight @u : tensor<32x8xbf16> from "u"
kimi.weight @d : tensor<8x32xbf16> from "d"

// Gate and up become one kernel with their activation; the residual and its rounding join the last product.
// CHECK-LABEL: func.func private @layer
// CHECK: %[[X:.*]] = kernel.call @rms_norm_round_8(%arg0,
// CHECK: %[[Y:.*]] = kernel.call @linear_swiglu_round_32x8(%[[X]],
// CHECK: %[[Z:.*]] = kernel.call @linear_add_round_8x32(%[[Y]],
// CHECK-NOT: kimi.linear
// CHECK: return %[[Z]]
func.func private @layer(%h: tensor<?x8xbf16>) -> tensor<?x8xbf16> {
  %n = kimi.load_weight @n : tensor<8xbf16>
  %norm = kimi.rms_norm %h, %n eps 1.000000e-06 : tensor<?x8xbf16>, tensor<8xbf16> -> tensor<?x8xf32>
  %x = kimi.round %norm : tensor<?x8xf32> -> tensor<?x8xbf16>
  %gw = kimi.load_weight @g : tensor<32x8xbf16>
  %g = kimi.linear %x, %gw : tensor<?x8xbf16>, tensor<32x8xbf16> -> tensor<?x32xf32>
  %uw = kimi.load_weight @u : tensor<32x8xbf16>
  %u = kimi.linear %x, %uw : tensor<?x8xbf16>, tensor<32x8xbf16> -> tensor<?x32xf32>
  %s = kimi.swiglu %g, %u : tensor<?x32xf32>, tensor<?x32xf32> -> tensor<?x32xf32>
  %a = kimi.round %s : tensor<?x32xf32> -> tensor<?x32xbf16>
  %dw = kimi.load_weight @d : tensor<8x32xbf16>
  %d = kimi.linear %a, %dw : tensor<?x32xbf16>, tensor<8x32xbf16> -> tensor<?x8xf32>
  %sum = kimi.add %d, %h : tensor<?x8xf32>, tensor<?x8xbf16> -> tensor<?x8xf32>
  %out = kimi.round %sum : tensor<?x8xf32> -> tensor<?x8xbf16>
  return %out : tensor<?x8xbf16>
}

// -----

kimi.weight @w : tensor<8x8xbf16> from "w"

// A product read twice keeps its result; its readers cannot all fuse. Equal kernels are one kernel.
// CHECK-LABEL: func.func private @shared
// CHECK: %[[A:.*]] = kernel.call @linear_8x8(%arg0,
// CHECK: %[[B:.*]] = kernel.call @round_8(%[[A]])
// CHECK: kernel.call @linear_add_8x8(%[[B]], %{{.*}}, %[[A]])
// CHECK: kernel.func private @linear_add_8x8
func.func private @shared(%h: tensor<?x8xbf16>) -> tensor<?x8xf32> {
  %w = kimi.load_weight @w : tensor<8x8xbf16>
  %a = kimi.linear %h, %w : tensor<?x8xbf16>, tensor<8x8xbf16> -> tensor<?x8xf32>
  %b = kimi.round %a : tensor<?x8xf32> -> tensor<?x8xbf16>
  %c = kimi.linear %b, %w : tensor<?x8xbf16>, tensor<8x8xbf16> -> tensor<?x8xf32>
  %d = kimi.add %c, %a : tensor<?x8xf32>, tensor<?x8xf32> -> tensor<?x8xf32>
  return %d : tensor<?x8xf32>
}

// -----

kimi.weight @c : tensor<32x8xf8E4M3FN> from "c" quantised <codes 128 x 128>
kimi.weight @c.scales : tensor<1x1xf32> from "c_scale" quantised <scales 128 x 128>

// The values of a quantised weight are part of each kernel that reads them; codes and scales are its arguments.
// CHECK-LABEL: func.func private @quantised
// CHECK-NOT: kimi.dequantise
// CHECK: kernel.call @dequantise_linear_round_32x8(%arg0, %{{.*}}, %{{.*}}) : (tensor<?x8xbf16>, tensor<32x8xf8E4M3FN>, tensor<1x1xf32>)
// CHECK: kernel.func private @dequantise_linear_round_32x8
// CHECK-SAME: kernel.ops = ["dequantise", "linear", "round"]
// CHECK: %[[W:.*]] = kernel.dequantise %{{.*}}, %{{.*}} blocks 128 x 128
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[W]] :
func.func private @quantised(%h: tensor<?x8xbf16>) -> tensor<?x32xbf16> {
  %c = kimi.load_weight @c : tensor<32x8xf8E4M3FN>
  %s = kimi.load_weight @c.scales : tensor<1x1xf32>
  %w = kimi.dequantise %c, %s blocks 128 x 128 : tensor<32x8xf8E4M3FN>, tensor<1x1xf32> -> tensor<32x8xf32>
  %a = kimi.linear %h, %w : tensor<?x8xbf16>, tensor<32x8xf32> -> tensor<?x32xf32>
  %b = kimi.round %a : tensor<?x32xf32> -> tensor<?x32xbf16>
  return %b : tensor<?x32xbf16>
}

// -----

// The error twin: a view that leaves the function has no kernel to live in.
func.func private @view(%h: tensor<4x8xbf16>) -> tensor<4x4xbf16> {
  // expected-error @+1 {{is read by something that is no kernel}}
  %v = tensor.extract_slice %h[0, 0] [4, 4] [1, 1] : tensor<4x8xbf16> to tensor<4x4xbf16>
  return %v : tensor<4x4xbf16>
}
