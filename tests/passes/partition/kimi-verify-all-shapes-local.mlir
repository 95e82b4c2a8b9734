// RUN: kimi-opt %s --kimi-verify-all-shapes-local | FileCheck %s

// A grid and collectives may stay: they say what a rank does with its own shapes.
// CHECK: shard.grid @ranks(shape = 2)
// CHECK: shard.all_reduce
module @local {
  shard.grid @ranks(shape = 2)
  func.func @step(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
    %0 = shard.all_reduce %x on @ranks grid_axes = [0] : tensor<4x8xf32> -> tensor<4x8xf32>
    return %0 : tensor<4x8xf32>
  }
}
