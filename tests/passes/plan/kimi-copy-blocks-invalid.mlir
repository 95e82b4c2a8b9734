// RUN: kimi-opt %s --kimi-copy-blocks -split-input-file -verify-diagnostics

// expected-error @+1 {{has no function with kimi.entry: nothing to plan (was `specialise` run?)}}
module @none {
}

// -----

module @external {
  func.func private @layer()
  func.func @decode_1() attributes {kimi.entry = #kimi.entry<decode, tokens = 1, sequences = 1, rows = 1>} {
    // expected-error @+1 {{calls 'layer' which has no body}}
    call @layer() : () -> ()
    return
  }
}

// -----

module @entry_in_entry {
  func.func @decode_1() attributes {kimi.entry = #kimi.entry<decode, tokens = 1, sequences = 1, rows = 1>} {
    // expected-error @+1 {{'decode_1' calls the entry 'decode_2': entries call layers only}}
    call @decode_2() : () -> ()
    return
  }
  func.func @decode_2() attributes {kimi.entry = #kimi.entry<decode, tokens = 2, sequences = 2, rows = 2>} {
    return
  }
}
