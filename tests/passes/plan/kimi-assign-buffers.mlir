// RUN: kimi-opt %s --split-input-file --kimi-assign-buffers | FileCheck %s

// The hidden state lies at byte 0 wherever it is passed; %b and %c take other places because %h is still needed,
// %d takes %b's place, and the layer's result takes the argument's.
module @m attributes {kimi.model = {context = 100}} {
  kernel.func private @f(%x: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  kernel.func private @add(%x: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]},
                           %y: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  kernel.func private @logits(%x: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x50xf32> {kernel.dims = [#kernel.extent<logit_rows * 1 by 1>]})
  kernel.func private @argmax(%x: tensor<?x50xf32> {kernel.dims = [#kernel.extent<logit_rows * 1 by 1>]})
      -> (tensor<?xi32> {kernel.dims = [#kernel.extent<logit_rows * 1 by 1>]},
          tensor<?xf32> {kernel.dims = [#kernel.extent<logit_rows * 1 by 1>]})
  kernel.func private @embedding(%x: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})

  // CHECK-LABEL: func.func private @layer
  // CHECK-SAME: plan.argument = #plan.arena<0 bytes 256>
  // CHECK-SAME: plan.arena_bytes = 768
  func.func private @layer(%h: tensor<?x32xbf16>, %layer: index) -> tensor<?x32xbf16> {
    // CHECK: kernel.call @f({{.*}}) {plan.results = [#plan.arena<256 bytes 256>]}
    %b = kernel.call @f(%h) : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    // CHECK: kernel.call @f({{.*}}) {plan.results = [#plan.arena<512 bytes 256>]}
    %c = kernel.call @f(%b) : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    // CHECK: kernel.call @add({{.*}}) {plan.results = [#plan.arena<256 bytes 256>]}
    %d = kernel.call @add(%c, %h) : (tensor<?x32xbf16>, tensor<?x32xbf16>) -> tensor<?x32xbf16>
    // CHECK: kernel.call @add({{.*}}) {plan.results = [#plan.arena<0 bytes 256>]}
    %e = kernel.call @add(%c, %d) : (tensor<?x32xbf16>, tensor<?x32xbf16>) -> tensor<?x32xbf16>
    return %e : tensor<?x32xbf16>
  }

  // CHECK-LABEL: func.func @decode_4
  // CHECK-SAME: plan.arena_bytes = 768
  // CHECK-SAME: plan.capacity = #plan.capacity<tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 1200, penalty_entries = 400>
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    // CHECK: kernel.call @embedding({{.*}}) {plan.results = [#plan.arena<0 bytes 256>]}
    %h = kernel.call @embedding(%ids) : (tensor<?xi32>) -> tensor<?x32xbf16>
    // CHECK: call @layer({{.*}}) {plan.results = [#plan.arena<0 bytes 256>]}
    %h1 = call @layer(%h, %c0) : (tensor<?x32xbf16>, index) -> tensor<?x32xbf16>
    // CHECK: call @layer({{.*}}) {plan.results = [#plan.arena<0 bytes 256>]}
    %h2 = call @layer(%h1, %c1) : (tensor<?x32xbf16>, index) -> tensor<?x32xbf16>
    // A step output is written where it is wanted, also when another kernel reads it.
    // CHECK: kernel.call @logits({{.*}}) {plan.results = [#kimi.step_output<logits>]}
    %l = kernel.call @logits(%h2) : (tensor<?x32xbf16>) -> tensor<?x50xf32>
    // A result that nothing reads needs its place while it is written.
    // CHECK: kernel.call @argmax({{.*}}) {plan.results = [#kimi.step_output<sampled_tokens>, #plan.arena<0 bytes 16>]}
    %t:2 = kernel.call @argmax(%l) : (tensor<?x50xf32>) -> (tensor<?xi32>, tensor<?xf32>)
    kimi.step_output <logits> %l : tensor<?x50xf32>
    kimi.step_output <sampled_tokens> %t#0 : tensor<?xi32>
    return
  }
}
