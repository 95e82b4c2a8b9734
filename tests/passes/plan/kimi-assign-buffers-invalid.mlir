// RUN: kimi-opt %s --kimi-assign-buffers -split-input-file -verify-diagnostics

module @no_context {
  // expected-error @+1 {{the module's kimi.model has no context length: was it imported?}}
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>} {

    return
  }
}

// -----

module @argument_alive attributes {kimi.model = {context = 100}} {
  kernel.func private @f(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  kernel.func private @add(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}, %a1: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  kernel.func private @embedding(%a0: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  func.func private @layer(%h: tensor<?x32xbf16>, %layer: index) -> tensor<?x32xbf16> {
    %b = kernel.call @f(%h) : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    // expected-error @+1 {{in 'layer', the result of 'add' (step 1) takes the place of argument 0, which is still read at step 1}}
    %c = kernel.call @add(%b, %h) : (tensor<?x32xbf16>, tensor<?x32xbf16>) -> tensor<?x32xbf16>
    return %c : tensor<?x32xbf16>
  }
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>} {
    %c0 = arith.constant 0 : index
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kernel.call @embedding(%ids) : (tensor<?xi32>) -> tensor<?x32xbf16>
    %h1 = call @layer(%h, %c0) : (tensor<?x32xbf16>, index) -> tensor<?x32xbf16>
    return
  }
}

// -----

module @argument_returned attributes {kimi.model = {context = 100}} {
  kernel.func private @f(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  kernel.func private @embedding(%a0: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  // expected-error @+1 {{'layer' returns argument 0 but only the result of a kernel can be returned}}
  func.func private @layer(%h: tensor<?x32xbf16>, %layer: index) -> tensor<?x32xbf16> {
    %b = kernel.call @f(%h) : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    return %h : tensor<?x32xbf16>
  }
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>} {
    %c0 = arith.constant 0 : index
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kernel.call @embedding(%ids) : (tensor<?xi32>) -> tensor<?x32xbf16>
    %h1 = call @layer(%h, %c0) : (tensor<?x32xbf16>, index) -> tensor<?x32xbf16>
    return
  }
}

// -----

module @argument_unread attributes {kimi.model = {context = 100}} {
  kernel.func private @f(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  kernel.func private @embedding(%a0: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  // expected-error @+1 {{no kernel of 'layer' reads argument 0: its size is unknown}}
  func.func private @layer(%h: tensor<?x32xbf16>, %layer: index) -> tensor<?x32xbf16> {
    %i = kimi.step_input <token_ids> : tensor<?xi32>
    %c = kernel.call @embedding(%i) : (tensor<?xi32>) -> tensor<?x32xbf16>
    return %c : tensor<?x32xbf16>
  }
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>} {
    %c0 = arith.constant 0 : index
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kernel.call @embedding(%ids) : (tensor<?xi32>) -> tensor<?x32xbf16>
    %h1 = call @layer(%h, %c0) : (tensor<?x32xbf16>, index) -> tensor<?x32xbf16>
    return
  }
}

// -----

module @read_after_call attributes {kimi.model = {context = 100}} {
  kernel.func private @f(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  kernel.func private @add(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}, %a1: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  kernel.func private @embedding(%a0: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  func.func private @layer(%h: tensor<?x32xbf16>, %layer: index) -> tensor<?x32xbf16> {
    %b = kernel.call @f(%h) : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    %c = kernel.call @f(%b) : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    return %c : tensor<?x32xbf16>
  }
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>} {
    %c0 = arith.constant 0 : index
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kernel.call @embedding(%ids) : (tensor<?xi32>) -> tensor<?x32xbf16>
    %h1 = call @layer(%h, %c0) : (tensor<?x32xbf16>, index) -> tensor<?x32xbf16>
    // expected-error @+1 {{in 'decode_4', the result of 'layer' (step 3) takes the place of the result of 'embedding', which is still read at step 4}}
    %x = kernel.call @add(%h, %h1) : (tensor<?x32xbf16>, tensor<?x32xbf16>) -> tensor<?x32xbf16>
    return
  }
}

// -----

module @two_tensors attributes {kimi.model = {context = 100}} {
  kernel.func private @f(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  kernel.func private @embedding(%a0: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  // expected-error @+1 {{'layer' has 2 tensor arguments and 1 results but a layer takes one tensor first and returns one of its type}}
  func.func private @layer(%h: tensor<?x32xbf16>, %g: tensor<?x32xbf16>) -> tensor<?x32xbf16> {
    %b = kernel.call @f(%h) : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    return %b : tensor<?x32xbf16>
  }
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>} {
    %c0 = arith.constant 0 : index
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kernel.call @embedding(%ids) : (tensor<?xi32>) -> tensor<?x32xbf16>
    %h1 = call @layer(%h, %h) : (tensor<?x32xbf16>, tensor<?x32xbf16>) -> tensor<?x32xbf16>
    return
  }
}

// -----

module @nested_call attributes {kimi.model = {context = 100}} {
  kernel.func private @f(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  kernel.func private @embedding(%a0: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  func.func private @inner(%h: tensor<?x32xbf16>, %layer: index) -> tensor<?x32xbf16> {
    %b = kernel.call @f(%h) : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    return %b : tensor<?x32xbf16>
  }
  func.func private @layer(%h: tensor<?x32xbf16>, %layer: index) -> tensor<?x32xbf16> {
    // expected-error @+1 {{'layer' calls 'inner' but only entries call: a plan has blocks in entries, not blocks in blocks}}
    %x = call @inner(%h, %layer) : (tensor<?x32xbf16>, index) -> tensor<?x32xbf16>
    %y = kernel.call @f(%h) : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    return %y : tensor<?x32xbf16>
  }
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>} {
    %c0 = arith.constant 0 : index
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kernel.call @embedding(%ids) : (tensor<?xi32>) -> tensor<?x32xbf16>
    %h1 = call @layer(%h, %c0) : (tensor<?x32xbf16>, index) -> tensor<?x32xbf16>
    return
  }
}

// -----

module @other_size attributes {kimi.model = {context = 100}} {
  kernel.func private @f(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 2 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  kernel.func private @embedding(%a0: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  func.func private @layer(%h: tensor<?x32xbf16>, %layer: index) -> tensor<?x32xbf16> {
    %b = kernel.call @f(%h) : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    %c = kernel.call @f(%b) : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    return %c : tensor<?x32xbf16>
  }
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>} {
    %c0 = arith.constant 0 : index
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kernel.call @embedding(%ids) : (tensor<?xi32>) -> tensor<?x32xbf16>
    // expected-error @+1 {{'layer' takes a buffer of 512 bytes but the result of 'embedding' has 256}}
    %h1 = call @layer(%h, %c0) : (tensor<?x32xbf16>, index) -> tensor<?x32xbf16>
    return
  }
}

// -----

module @cache_sized attributes {kimi.model = {context = 100}} {
  kernel.func private @f(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<cache_blocks * 1 by 1>]})
  kernel.func private @embedding(%a0: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>} {
    %c0 = arith.constant 0 : index
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kernel.call @embedding(%ids) : (tensor<?xi32>) -> tensor<?x32xbf16>
    // expected-error @+1 {{result 0 is 'tensor<?x32xbf16>' whose size #kernel.extent<cache_blocks * 1 by 1> is not known before the artifact is loaded: no buffer may depend on it}}
    %x = kernel.call @f(%h) : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    return
  }
}

// -----

module @absurd attributes {kimi.model = {context = 100}} {
  kernel.func private @f(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x4398046511104xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  kernel.func private @embedding(%a0: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>} {
    %c0 = arith.constant 0 : index
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kernel.call @embedding(%ids) : (tensor<?xi32>) -> tensor<?x32xbf16>
    // expected-error @+1 {{result 0 is 'tensor<?x4398046511104xf32>' which takes more than 17592186044416 bytes in a full step of 4 tokens}}
    %x = kernel.call @f(%h) : (tensor<?x32xbf16>) -> tensor<?x4398046511104xf32>
    return
  }
}

// -----

module @input_as_output attributes {kimi.model = {context = 100}} {
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>} {
    %p = kimi.step_input <positions> : tensor<?xi32>
    // expected-error @+1 {{step output 'sampled_tokens' in 'decode_4' is a value of 'kimi.step_input' but only a kernel in an entry can write it}}
    kimi.step_output <sampled_tokens> %p : tensor<?xi32>
    return
  }
}

// -----

module @two_outputs attributes {kimi.model = {context = 100}} {
  kernel.func private @g(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?xi32> {kernel.dims = [#kernel.extent<logit_rows * 1 by 1>]})
  kernel.func private @embedding(%a0: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>} {
    %c0 = arith.constant 0 : index
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kernel.call @embedding(%ids) : (tensor<?xi32>) -> tensor<?x32xbf16>
    %t = kernel.call @g(%h) : (tensor<?x32xbf16>) -> tensor<?xi32>
    kimi.step_output <sampled_tokens> %t : tensor<?xi32>
    // expected-error @+1 {{the result of 'g' is both step output 'sampled_tokens' and 'finite': a buffer can be one only}}
    kimi.step_output <finite> %t : tensor<?xi32>
    return
  }
}

// -----

module @left_over attributes {kimi.model = {context = 100}} {
  kernel.func private @embedding(%a0: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>} {
    %c0 = arith.constant 0 : index
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kernel.call @embedding(%ids) : (tensor<?xi32>) -> tensor<?x32xbf16>
    // expected-error @+1 {{'tensor.empty' is left in 'decode_4' but a plan has kernels only: run fuse .. codegen first}}
    %e = tensor.empty() : tensor<4xf32>
    return
  }
}

// -----

module @entry_argument attributes {kimi.model = {context = 100}} {
  // expected-error @+1 {{entry 'decode_4' has 1 arguments but entries read step inputs only}}
  func.func @decode_4(%x: tensor<4xf32>) attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>} {
    return
  }
}

// -----

module @passed_input attributes {kimi.model = {context = 100}} {
  kernel.func private @f(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  kernel.func private @embedding(%a0: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  func.func private @layer(%h: tensor<?x32xbf16>, %layer: index) -> tensor<?x32xbf16> {
    %b = kernel.call @f(%h) : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    %c = kernel.call @f(%b) : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
    return %c : tensor<?x32xbf16>
  }
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>} {
    %c0 = arith.constant 0 : index
    %w = kimi.load_weight @w : tensor<?x32xbf16>
    // expected-error @+1 {{'decode_4' passes a value of 'kimi.load_weight' to 'layer' but only results of kernels and layers can be passed on}}
    %h1 = call @layer(%w, %c0) : (tensor<?x32xbf16>, index) -> tensor<?x32xbf16>
    return
  }
  kimi.weight @w : tensor<?x32xbf16> from "w"
}

// -----

module @output_and_layer attributes {kimi.model = {context = 100}} {
  kernel.func private @f(%a0: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  kernel.func private @embedding(%a0: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x32xf32> {kernel.dims = [#kernel.extent<logit_rows * 1 by 1>]})
  func.func private @layer(%h: tensor<?x32xf32>, %layer: index) -> tensor<?x32xf32> {
    %b = kernel.call @g(%h) : (tensor<?x32xf32>) -> tensor<?x32xf32>
    %c = kernel.call @g(%b) : (tensor<?x32xf32>) -> tensor<?x32xf32>
    return %c : tensor<?x32xf32>
  }
  kernel.func private @g(%a0: tensor<?x32xf32> {kernel.dims = [#kernel.extent<logit_rows * 1 by 1>]})
      -> (tensor<?x32xf32> {kernel.dims = [#kernel.extent<logit_rows * 1 by 1>]})
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>} {
    %c0 = arith.constant 0 : index
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kernel.call @embedding(%ids) : (tensor<?xi32>) -> tensor<?x32xf32>
    %h1 = call @layer(%h, %c0) : (tensor<?x32xf32>, index) -> tensor<?x32xf32>
    // expected-error @+1 {{the result of 'embedding' is a step output and is passed to a layer: it cannot be both}}
    kimi.step_output <logits> %h : tensor<?x32xf32>
    return
  }
}
