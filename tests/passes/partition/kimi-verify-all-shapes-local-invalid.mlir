// RUN: kimi-opt %s --kimi-verify-all-shapes-local -split-input-file -verify-diagnostics

module @sharding {
  shard.grid @ranks(shape = 2)
  func.func @step() {
    // expected-error @+1 {{spreads a tensor over ranks, but after partition every shape is local: resolve it in partition, or place the model on 1 rank}}
    %0 = shard.sharding @ranks split_axes = [[0]] : !shard.sharding
    return
  }
}
