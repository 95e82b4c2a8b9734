// RUN: kimi-opt %s --kimi-fuse --kimi-select-layout --split-input-file | FileCheck %s

// Weights stay as the checkpoint has them: no panels, though 32 columns would make two.
// CHECK: kimi.weight @w {{.*}} layout #kernel.layout<row_major, 1>
// CHECK: kernel.func private @linear_32x8({{.*}}tensor<32x8xbf16>
module attributes {kimi.weights = "reference"} {
  kimi.weight @w : tensor<32x8xbf16> from "w"
  func.func private @f(%h: tensor<?x8xbf16>) -> tensor<?x32xf32> {
    %w = kimi.load_weight @w : tensor<32x8xbf16>
    %a = kimi.linear %h, %w : tensor<?x8xbf16>, tensor<32x8xbf16> -> tensor<?x32xf32>
    return %a : tensor<?x32xf32>
  }
}

// -----

// Rows 2 to 6 of every 8: the kernel takes them out of the whole tensor.
// CHECK: kimi.weight @key {{.*}} layout #kernel.layout<strided, 8>
// CHECK: kernel.func private @absorb_query{{.*}}tensor<3x8x16xbf16>
// CHECK-NEXT: tensor.extract_slice %{{.*}}[0, 2, 0] [3, 4, 16] [1, 1, 1] : tensor<3x8x16xbf16> to tensor<3x4x16xbf16>
module attributes {kimi.weights = "reference"} {
  kimi.weight @key : tensor<3x4x16xbf16> from "kv_b_proj" rows <groups = 3, of = 8, 2 to 6>
  func.func private @f(%q: tensor<?x3x4xf32>) -> tensor<?x3x16xf32> {
    %w = kimi.load_weight @key : tensor<3x4x16xbf16>
    %a = kimi.absorb_query %q, %w : tensor<?x3x4xf32>, tensor<3x4x16xbf16> -> tensor<?x3x16xf32>
    return %a : tensor<?x3x16xf32>
  }
}
