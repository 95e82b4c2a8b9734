// RUN: kimi-opt %s --kimi-copy-blocks | FileCheck %s

module @m {
  // Nothing calls the original any more.
  // CHECK-NOT: @layer(
  func.func private @layer(%h: tensor<4xf32>, %layer: index) -> tensor<4xf32> {
    return %h : tensor<4xf32>
  }
  func.func private @unused() {
    return
  }

  // CHECK: func.func private @layer.decode_1(
  // CHECK: func.func @decode_1()
  func.func @decode_1() attributes {kimi.entry = #kimi.entry<decode, tokens = 1, sequences = 1, rows = 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %h = arith.constant dense<0.0> : tensor<4xf32>
    // CHECK: call @layer.decode_1(
    %a = call @layer(%h, %c0) : (tensor<4xf32>, index) -> tensor<4xf32>
    // CHECK: call @layer.decode_1(
    %b = call @layer(%a, %c1) : (tensor<4xf32>, index) -> tensor<4xf32>
    return
  }
  // CHECK: func.func private @layer.mixed_64(
  // CHECK: func.func @mixed_64()
  func.func @mixed_64() attributes {kimi.entry = #kimi.entry<mixed, tokens = 64, sequences = 1, rows = 1>} {
    %c0 = arith.constant 0 : index
    %h = arith.constant dense<0.0> : tensor<4xf32>
    // CHECK: call @layer.mixed_64(
    %a = call @layer(%h, %c0) : (tensor<4xf32>, index) -> tensor<4xf32>
    return
  }
}
