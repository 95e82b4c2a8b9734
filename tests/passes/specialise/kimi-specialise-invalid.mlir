// RUN: kimi-opt %s --kimi-specialise -split-input-file -verify-diagnostics

// expected-error @+1 {{the module has no func.func @step to make entries from: run this pass on what import wrote}}
module @none {
}

// -----

// expected-error @+1 {{kimi.options says max_sequences = 0 : i64 but it must be an integer from 1 to 1048576}}
module @zero attributes {kimi.options = {max_sequences = 0 : i64}} {
  func.func @step() {
    return
  }
}

// -----

// expected-error @+1 {{kimi.options says max_tokens = "512" but it must be an integer from 1 to 1048576}}
module @text attributes {kimi.options = {max_tokens = "512"}} {
  func.func @step() {
    return
  }
}

// -----

module @taken {
  func.func @step() {
    return
  }
  // expected-error @+1 {{the name @decode_4 is needed for the entry of 4 tokens: rename this symbol}}
  kimi.cache @decode_4 : !kimi.cache<48 x bf16> layers 4
}
