// A right placement passes unchanged, also where a layer runs twice; wrong ones are in the error twin.
// RUN: kimi-opt %s --kimi-verify-arena | FileCheck %s
// What is assigned is right.
// RUN: kimi-opt %S/kimi-assign-buffers.mlir --kimi-copy-blocks --kimi-assign-buffers --kimi-verify-arena -o /dev/null

module @good {
  kernel.func private @f(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  kernel.func private @add(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}, %a1: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  kernel.func private @embedding(%a0: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  // CHECK-LABEL: @layer
  func.func private @layer(%h: tensor<?x32xbf16> {plan.argument = #plan.arena<0 bytes 256>}, %layer: index) -> tensor<?x32xbf16> {
    %b = kernel.call @f(%h) {plan.results = [#plan.arena<256 bytes 256>]} : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    %c = kernel.call @f(%b) {plan.results = [#plan.arena<512 bytes 256>]} : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    %d = kernel.call @add(%b, %c) {plan.results = [#plan.arena<0 bytes 256>]} : (tensor<?x32xbf16>, tensor<?x32xbf16>) -> tensor<?x32xbf16>
    return %d : tensor<?x32xbf16>
  }
  // CHECK-LABEL: @decode_4
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>, plan.arena_bytes = 1024 : i64,
      plan.capacity = #plan.capacity<tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kernel.call @embedding(%ids) {plan.results = [#plan.arena<0 bytes 256>]} : (tensor<?xi32>) -> tensor<?x32xbf16>
    %h1 = call @layer(%h, %c0) {plan.results = [#plan.arena<0 bytes 256>]} : (tensor<?x32xbf16>, index) -> tensor<?x32xbf16>
    // CHECK: call @layer
    // CHECK: call @layer
    %h2 = call @layer(%h1, %c1) {plan.results = [#plan.arena<0 bytes 256>]} : (tensor<?x32xbf16>, index) -> tensor<?x32xbf16>
    %x = kernel.call @f(%h2) {plan.results = [#plan.arena<256 bytes 256>]} : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    %y = kernel.call @add(%h2, %x) {plan.results = [#plan.arena<512 bytes 256>]} : (tensor<?x32xbf16>, tensor<?x32xbf16>) -> tensor<?x32xbf16>
    return
  }
}
