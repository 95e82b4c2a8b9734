// RUN: kimi-opt %s --kimi-specialise -split-input-file | FileCheck %s

// Decode buckets double, mixed buckets grow by four; the last of each is the option itself.
// CHECK-LABEL: module @buckets
// CHECK: func.func private @layer
// CHECK: func.func @decode_1() attributes {kimi.entry = #kimi.entry<decode, tokens = 1, sequences = 1, rows = 1>} {
// CHECK-NEXT: kimi.step_input <token_ids>
// CHECK-NEXT: return
// CHECK: func.func @decode_2() attributes {kimi.entry = #kimi.entry<decode, tokens = 2, sequences = 2, rows = 2>}
// CHECK: func.func @decode_4()
// CHECK: func.func @decode_6() attributes {kimi.entry = #kimi.entry<decode, tokens = 6, sequences = 6, rows = 6>}
// CHECK: func.func @mixed_64() attributes {kimi.entry = #kimi.entry<mixed, tokens = 64, sequences = 6, rows = 6>}
// CHECK: func.func @mixed_256() attributes {kimi.entry = #kimi.entry<mixed, tokens = 256, sequences = 6, rows = 6>}
// CHECK: func.func @mixed_300() attributes {kimi.entry = #kimi.entry<mixed, tokens = 300, sequences = 6, rows = 6>}
// CHECK-NOT: func.func
module @buckets attributes {kimi.options = {max_sequences = 6 : i64, max_tokens = 300 : i64}} {
  func.func private @layer() {
    return
  }
  func.func @step() {
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    return
  }
}

// -----

// Without options: 16 sequences and 512 tokens.
// CHECK-LABEL: module @defaults
// CHECK: @decode_1()
// CHECK: @decode_2()
// CHECK: @decode_4()
// CHECK: @decode_8()
// CHECK: @decode_16()
// CHECK: @mixed_64() attributes {kimi.entry = #kimi.entry<mixed, tokens = 64, sequences = 16, rows = 16>}
// CHECK: @mixed_256()
// CHECK: @mixed_512()
// CHECK-NOT: func.func
module @defaults {
  func.func @step() {
    return
  }
}

// -----

// A step holds no more sequences than tokens.
// CHECK-LABEL: module @small
// CHECK: @decode_32()
// CHECK-NEXT: return
// CHECK: @mixed_8() attributes {kimi.entry = #kimi.entry<mixed, tokens = 8, sequences = 8, rows = 8>}
// CHECK-NOT: func.func
module @small attributes {kimi.options = {max_sequences = 32 : i64, max_tokens = 8 : i64}} {
  func.func @step() {
    return
  }
}
