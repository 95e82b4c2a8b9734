// RUN: kimi-opt %s --kimi-verify-arena -split-input-file -verify-diagnostics

module @overwritten {
  kernel.func private @f(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  kernel.func private @add(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}, %a1: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  kernel.func private @embedding(%a0: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>, plan.arena_bytes = 1024 : i64,
      plan.capacity = #plan.capacity<tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kernel.call @embedding(%ids) {plan.results = [#plan.arena<0 bytes 256>]} : (tensor<?xi32>) -> tensor<?x32xbf16>
    %a = kernel.call @f(%h) {plan.results = [#plan.arena<256 bytes 256>]} : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    %b = kernel.call @f(%h) {plan.results = [#plan.arena<256 bytes 256>]} : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    // expected-error @+1 {{'add' reads #plan.arena<256 bytes 256> as 'f' left it, but 'f' has written there since}}
    %d = kernel.call @add(%a, %b) {plan.results = [#plan.arena<512 bytes 256>]} : (tensor<?x32xbf16>, tensor<?x32xbf16>) -> tensor<?x32xbf16>
    return
  }
}

// -----

module @partly_overwritten {
  kernel.func private @f(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  kernel.func private @add(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}, %a1: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  kernel.func private @embedding(%a0: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>, plan.arena_bytes = 1024 : i64,
      plan.capacity = #plan.capacity<tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kernel.call @embedding(%ids) {plan.results = [#plan.arena<0 bytes 256>]} : (tensor<?xi32>) -> tensor<?x32xbf16>
    %a = kernel.call @f(%h) {plan.results = [#plan.arena<256 bytes 256>]} : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    %b = kernel.call @f(%h) {plan.results = [#plan.arena<448 bytes 256>]} : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    // expected-error @+1 {{'add' reads #plan.arena<256 bytes 256> as 'f' left it, but 'f' has written there since}}
    %d = kernel.call @add(%a, %b) {plan.results = [#plan.arena<704 bytes 256>]} : (tensor<?x32xbf16>, tensor<?x32xbf16>) -> tensor<?x32xbf16>
    return
  }
}

// -----

module @overwritten_in_call {
  kernel.func private @f(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  kernel.func private @add(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}, %a1: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  kernel.func private @embedding(%a0: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  func.func private @layer(%h: tensor<?x32xbf16> {plan.argument = #plan.arena<0 bytes 256>}, %layer: index) -> tensor<?x32xbf16> {
    %b = kernel.call @f(%h) {plan.results = [#plan.arena<256 bytes 256>]} : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    %c = kernel.call @f(%b) {plan.results = [#plan.arena<512 bytes 256>]} : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    %d = kernel.call @add(%b, %c) {plan.results = [#plan.arena<0 bytes 256>]} : (tensor<?x32xbf16>, tensor<?x32xbf16>) -> tensor<?x32xbf16>
    return %d : tensor<?x32xbf16>
  }
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>, plan.arena_bytes = 1024 : i64,
      plan.capacity = #plan.capacity<tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kernel.call @embedding(%ids) {plan.results = [#plan.arena<0 bytes 256>]} : (tensor<?xi32>) -> tensor<?x32xbf16>
    %a = kernel.call @f(%h) {plan.results = [#plan.arena<512 bytes 256>]} : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    %h1 = call @layer(%h, %c0) {plan.results = [#plan.arena<0 bytes 256>]} : (tensor<?x32xbf16>, index) -> tensor<?x32xbf16>
    // expected-error @+1 {{'add' reads #plan.arena<512 bytes 256> as 'f' left it, but 'f' has written there since}}
    %d = kernel.call @add(%a, %h1) {plan.results = [#plan.arena<256 bytes 256>]} : (tensor<?x32xbf16>, tensor<?x32xbf16>) -> tensor<?x32xbf16>
    return
  }
}

// -----

module @in_place {
  kernel.func private @f(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  kernel.func private @embedding(%a0: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>, plan.arena_bytes = 1024 : i64,
      plan.capacity = #plan.capacity<tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kernel.call @embedding(%ids) {plan.results = [#plan.arena<0 bytes 256>]} : (tensor<?xi32>) -> tensor<?x32xbf16>
    // expected-error @+1 {{'f' writes #plan.arena<192 bytes 256> over #plan.arena<0 bytes 256>, which it reads}}
    %a = kernel.call @f(%h) {plan.results = [#plan.arena<192 bytes 256>]} : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    return
  }
}

// -----

module @two_results {
  kernel.func private @two(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}, tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  kernel.func private @embedding(%a0: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>, plan.arena_bytes = 1024 : i64,
      plan.capacity = #plan.capacity<tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kernel.call @embedding(%ids) {plan.results = [#plan.arena<0 bytes 256>]} : (tensor<?xi32>) -> tensor<?x32xbf16>
    // expected-error @+1 {{'two' reads #plan.arena<256 bytes 256> as 'two' left it, but 'two' has written there since}}
    %a:2 = kernel.call @two(%h) {plan.results = [#plan.arena<256 bytes 256>, #plan.arena<448 bytes 256>]} : (tensor<?x32xbf16>) -> (tensor<?x32xbf16>, tensor<?x32xbf16>)
    return
  }
}

// -----

module @outside {
  kernel.func private @f(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  kernel.func private @embedding(%a0: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>, plan.arena_bytes = 1024 : i64,
      plan.capacity = #plan.capacity<tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kernel.call @embedding(%ids) {plan.results = [#plan.arena<0 bytes 256>]} : (tensor<?xi32>) -> tensor<?x32xbf16>
    // expected-error @+1 {{'f' writes #plan.arena<832 bytes 256> in an arena of 1024 bytes: offsets are multiples of 64 inside it}}
    %a = kernel.call @f(%h) {plan.results = [#plan.arena<832 bytes 256>]} : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    return
  }
}

// -----

module @unaligned {
  kernel.func private @f(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  kernel.func private @embedding(%a0: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>, plan.arena_bytes = 1024 : i64,
      plan.capacity = #plan.capacity<tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kernel.call @embedding(%ids) {plan.results = [#plan.arena<0 bytes 256>]} : (tensor<?xi32>) -> tensor<?x32xbf16>
    // expected-error @+1 {{'f' writes #plan.arena<288 bytes 256> in an arena of 1024 bytes: offsets are multiples of 64 inside it}}
    %a = kernel.call @f(%h) {plan.results = [#plan.arena<288 bytes 256>]} : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    return
  }
}

// -----

module @too_small {
  kernel.func private @f(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  kernel.func private @embedding(%a0: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>, plan.arena_bytes = 1024 : i64,
      plan.capacity = #plan.capacity<tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kernel.call @embedding(%ids) {plan.results = [#plan.arena<0 bytes 256>]} : (tensor<?xi32>) -> tensor<?x32xbf16>
    // expected-error @+1 {{'f' takes 256 bytes as result 0 but the buffer #plan.arena<256 bytes 128> has 128}}
    %a = kernel.call @f(%h) {plan.results = [#plan.arena<256 bytes 128>]} : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    return
  }
}

// -----

module @read_size {
  kernel.func private @f(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  kernel.func private @embedding(%a0: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 2 by 1>]})
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>, plan.arena_bytes = 1024 : i64,
      plan.capacity = #plan.capacity<tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kernel.call @embedding(%ids) {plan.results = [#plan.arena<0 bytes 512>]} : (tensor<?xi32>) -> tensor<?x32xbf16>
    // expected-error @+1 {{'f' takes 256 bytes as operand 0 but the buffer #plan.arena<0 bytes 512> has 512}}
    %a = kernel.call @f(%h) {plan.results = [#plan.arena<512 bytes 256>]} : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    return
  }
}

// -----

module @call_places {
  kernel.func private @f(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  kernel.func private @add(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}, %a1: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  kernel.func private @embedding(%a0: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  func.func private @layer(%h: tensor<?x32xbf16> {plan.argument = #plan.arena<0 bytes 256>}, %layer: index) -> tensor<?x32xbf16> {
    %b = kernel.call @f(%h) {plan.results = [#plan.arena<256 bytes 256>]} : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    %c = kernel.call @f(%b) {plan.results = [#plan.arena<512 bytes 256>]} : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    %d = kernel.call @add(%b, %c) {plan.results = [#plan.arena<0 bytes 256>]} : (tensor<?x32xbf16>, tensor<?x32xbf16>) -> tensor<?x32xbf16>
    return %d : tensor<?x32xbf16>
  }
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>, plan.arena_bytes = 1024 : i64,
      plan.capacity = #plan.capacity<tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kernel.call @embedding(%ids) {plan.results = [#plan.arena<0 bytes 256>]} : (tensor<?xi32>) -> tensor<?x32xbf16>
    // expected-error @+1 {{'layer' takes #plan.arena<0 bytes 256> and returns #plan.arena<0 bytes 256> but the entry has #plan.arena<0 bytes 256> and #plan.arena<512 bytes 256>}}
    %h1 = call @layer(%h, %c0) {plan.results = [#plan.arena<512 bytes 256>]} : (tensor<?x32xbf16>, index) -> tensor<?x32xbf16>
    return
  }
}

// -----

module @not_assigned {
  // expected-error @+1 {{has no plan.capacity: run kimi-assign-buffers first}}
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>} {

    return
  }
}

// -----

module @no_layer {
  func.func private @layer() {
    return
  }
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>, plan.arena_bytes = 1024 : i64,
      plan.capacity = #plan.capacity<tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0>} {
    // expected-error @+1 {{'layer' has 0 arguments and 0 results: run kimi-assign-buffers first}}
    call @layer() : () -> ()
    return
  }
}
