// RUN: kimi-opt %s --kimi-partition | FileCheck %s

// The grid comes first; nothing else changes.
// CHECK: module @tiny attributes {kimi.mesh = 1 : i64} {
// CHECK-NEXT: shard.grid @ranks(shape = 1)
// CHECK-NEXT: kimi.cache @latent : !kimi.cache<48 x bf16> layers 4
// CHECK-NEXT: func.func @step()
module @tiny attributes {kimi.mesh = 1 : i64} {
  kimi.cache @latent : !kimi.cache<48 x bf16> layers 4
  func.func @step() {
    return
  }
}
