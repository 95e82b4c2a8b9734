// RUN: kimi-opt %s --kimi-fuse --kimi-peel-products --kimi-select-implementation --kimi-join-readers --split-input-file | FileCheck %s

// Where the template serves, quantisation is part of the kernel whose result it alone reads: 128 columns of one product in 128
// rows of a block, of two products in 256. Larger steps run generated code, which stays apart.
// CHECK-LABEL: func.func @decode_1()
// CHECK: %[[H:.+]] = kernel.call @embedding_128x64(
// CHECK: kernel.call @linear_round_quantise_256x64_upto8(%[[H]], %{{.+}}) : (tensor<?x64xbf16>, tensor<256x64xbf16>) -> (tensor<?x256xf8E4M3FN>, tensor<?x2xf32>)
// CHECK: kernel.call @linear_swiglu_round_quantise_256x64_upto8(%[[H]], %{{.+}}, %{{.+}}) : (tensor<?x64xbf16>, tensor<256x64xbf16>, tensor<256x64xbf16>) -> (tensor<?x256xf8E4M3FN>, tensor<?x2xf32>)
// CHECK-NOT: kernel.call
// CHECK-LABEL: func.func @mixed_256()
// CHECK: kernel.call @linear_round_256x64(
// CHECK: kernel.call @quantise_256(
// CHECK: kernel.call @linear_swiglu_round_256x64(
// CHECK: kernel.call @quantise_256(
// CHECK-NOT: @linear_swiglu_round_256x64_upto8
// CHECK: kernel.func private @linear_swiglu_round_quantise_256x64_upto8(
// CHECK-SAME: -> (tensor<?x256xf8E4M3FN> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}, tensor<?x2xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
// CHECK-SAME: impl = #kernel.impl<"skinny_gemm"
// CHECK-SAME: row_tiles = 4
// CHECK-SAME: kernel.ops = ["linear", "linear", "swiglu", "round", "quantise"]
// CHECK-NOT: @linear_round_256x64_upto8
// CHECK: kernel.func private @linear_round_quantise_256x64_upto8(
// CHECK-SAME: row_tiles = 2
module attributes {kimi.target = "cuda:sm_90a"} {
  kimi.weight @e : tensor<128x64xbf16> from "e"
  kimi.weight @w : tensor<256x64xbf16> from "w"
  kimi.weight @g : tensor<256x64xbf16> from "g"
  kimi.weight @u : tensor<256x64xbf16> from "u"
  func.func @decode_1() attributes {kimi.entry = #kimi.entry<decode, tokens = 1, sequences = 1, rows = 1>} {
    %e = kimi.load_weight @e : tensor<128x64xbf16>
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kimi.embedding %ids, %e : tensor<?xi32>, tensor<128x64xbf16> -> tensor<?x64xbf16>
    %w = kimi.load_weight @w : tensor<256x64xbf16>
    %a = kimi.linear %h, %w : tensor<?x64xbf16>, tensor<256x64xbf16> -> tensor<?x256xf32>
    %x = kimi.round %a : tensor<?x256xf32> -> tensor<?x256xbf16>
    %c, %s = kimi.quantise %x blocks 128 : tensor<?x256xbf16> -> tensor<?x256xf8E4M3FN>, tensor<?x2xf32>
    call @sink(%c, %s) : (tensor<?x256xf8E4M3FN>, tensor<?x2xf32>) -> ()
    %gw = kimi.load_weight @g : tensor<256x64xbf16>
    %g = kimi.linear %h, %gw : tensor<?x64xbf16>, tensor<256x64xbf16> -> tensor<?x256xf32>
    %uw = kimi.load_weight @u : tensor<256x64xbf16>
    %u = kimi.linear %h, %uw : tensor<?x64xbf16>, tensor<256x64xbf16> -> tensor<?x256xf32>
    %gu = kimi.swiglu %g, %u : tensor<?x256xf32>, tensor<?x256xf32> -> tensor<?x256xf32>
    %y = kimi.round %gu : tensor<?x256xf32> -> tensor<?x256xbf16>
    %c2, %s2 = kimi.quantise %y blocks 128 : tensor<?x256xbf16> -> tensor<?x256xf8E4M3FN>, tensor<?x2xf32>
    call @sink(%c2, %s2) : (tensor<?x256xf8E4M3FN>, tensor<?x2xf32>) -> ()
    return
  }
  func.func @mixed_256() attributes {kimi.entry = #kimi.entry<mixed, tokens = 256, sequences = 1, rows = 1>} {
    %e = kimi.load_weight @e : tensor<128x64xbf16>
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kimi.embedding %ids, %e : tensor<?xi32>, tensor<128x64xbf16> -> tensor<?x64xbf16>
    %w = kimi.load_weight @w : tensor<256x64xbf16>
    %a = kimi.linear %h, %w : tensor<?x64xbf16>, tensor<256x64xbf16> -> tensor<?x256xf32>
    %x = kimi.round %a : tensor<?x256xf32> -> tensor<?x256xbf16>
    %c, %s = kimi.quantise %x blocks 128 : tensor<?x256xbf16> -> tensor<?x256xf8E4M3FN>, tensor<?x2xf32>
    call @sink(%c, %s) : (tensor<?x256xf8E4M3FN>, tensor<?x2xf32>) -> ()
    %gw = kimi.load_weight @g : tensor<256x64xbf16>
    %g = kimi.linear %h, %gw : tensor<?x64xbf16>, tensor<256x64xbf16> -> tensor<?x256xf32>
    %uw = kimi.load_weight @u : tensor<256x64xbf16>
    %u = kimi.linear %h, %uw : tensor<?x64xbf16>, tensor<256x64xbf16> -> tensor<?x256xf32>
    %gu = kimi.swiglu %g, %u : tensor<?x256xf32>, tensor<?x256xf32> -> tensor<?x256xf32>
    %y = kimi.round %gu : tensor<?x256xf32> -> tensor<?x256xbf16>
    %c2, %s2 = kimi.quantise %y blocks 128 : tensor<?x256xbf16> -> tensor<?x256xf8E4M3FN>, tensor<?x2xf32>
    call @sink(%c2, %s2) : (tensor<?x256xf8E4M3FN>, tensor<?x2xf32>) -> ()
    return
  }
  func.func private @sink(%c: tensor<?x256xf8E4M3FN>, %s: tensor<?x2xf32>) {
    return
  }
}

// -----

// Apart stay: what two kernels read, blocks that the row does not fill, and whole rows.
// CHECK-LABEL: func.func @decode_1()
// CHECK: kernel.call @linear_round_256x64_upto8(
// CHECK: kernel.call @quantise_256(
// CHECK: kernel.call @linear_round_160x64_upto8(
// CHECK: kernel.call @quantise_160(
// CHECK: kernel.call @linear_round_64x64_upto8(
// CHECK: kernel.call @rms_norm_64(
module attributes {kimi.target = "cuda:sm_90a"} {
  kimi.weight @e : tensor<128x64xbf16> from "e"
  kimi.weight @w : tensor<256x64xbf16> from "w"
  kimi.weight @v : tensor<160x64xbf16> from "v"
  kimi.weight @k : tensor<64x64xbf16> from "k"
  kimi.weight @n : tensor<64xbf16> from "n"
  func.func @decode_1() attributes {kimi.entry = #kimi.entry<decode, tokens = 1, sequences = 1, rows = 1>} {
    %e = kimi.load_weight @e : tensor<128x64xbf16>
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kimi.embedding %ids, %e : tensor<?xi32>, tensor<128x64xbf16> -> tensor<?x64xbf16>
    %w = kimi.load_weight @w : tensor<256x64xbf16>
    %a = kimi.linear %h, %w : tensor<?x64xbf16>, tensor<256x64xbf16> -> tensor<?x256xf32>
    %x = kimi.round %a : tensor<?x256xf32> -> tensor<?x256xbf16>
    %c, %s = kimi.quantise %x blocks 128 : tensor<?x256xbf16> -> tensor<?x256xf8E4M3FN>, tensor<?x2xf32>
    call @both(%x, %c, %s) : (tensor<?x256xbf16>, tensor<?x256xf8E4M3FN>, tensor<?x2xf32>) -> ()
    %v = kimi.load_weight @v : tensor<160x64xbf16>
    %b = kimi.linear %h, %v : tensor<?x64xbf16>, tensor<160x64xbf16> -> tensor<?x160xf32>
    %y = kimi.round %b : tensor<?x160xf32> -> tensor<?x160xbf16>
    %c2, %s2 = kimi.quantise %y blocks 128 : tensor<?x160xbf16> -> tensor<?x160xf8E4M3FN>, tensor<?x2xf32>
    call @part(%c2, %s2) : (tensor<?x160xf8E4M3FN>, tensor<?x2xf32>) -> ()
    %k = kimi.load_weight @k : tensor<64x64xbf16>
    %d = kimi.linear %h, %k : tensor<?x64xbf16>, tensor<64x64xbf16> -> tensor<?x64xf32>
    %z = kimi.round %d : tensor<?x64xf32> -> tensor<?x64xbf16>
    %n = kimi.load_weight @n : tensor<64xbf16>
    %normed = kimi.rms_norm %z, %n eps 1.0e-6 : tensor<?x64xbf16>, tensor<64xbf16> -> tensor<?x64xf32>
    call @row(%normed) : (tensor<?x64xf32>) -> ()
    return
  }
  func.func private @both(%x: tensor<?x256xbf16>, %c: tensor<?x256xf8E4M3FN>, %s: tensor<?x2xf32>) {
    return
  }
  func.func private @part(%c: tensor<?x160xf8E4M3FN>, %s: tensor<?x2xf32>) {
    return
  }
  func.func private @row(%x: tensor<?x64xf32>) {
    return
  }
}

// -----

// Who asks for generated quantisation gets it.
// CHECK-LABEL: func.func @decode_1()
// CHECK: kernel.call @linear_round_128x64_upto8(
// CHECK: kernel.call @quantise_128(
module attributes {kimi.target = "cuda:sm_90a", kimi.overrides = ["quantise=generated"]} {
  kimi.weight @e : tensor<128x64xbf16> from "e"
  kimi.weight @w : tensor<128x64xbf16> from "w"
  func.func @decode_1() attributes {kimi.entry = #kimi.entry<decode, tokens = 1, sequences = 1, rows = 1>} {
    %e = kimi.load_weight @e : tensor<128x64xbf16>
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kimi.embedding %ids, %e : tensor<?xi32>, tensor<128x64xbf16> -> tensor<?x64xbf16>
    %w = kimi.load_weight @w : tensor<128x64xbf16>
    %a = kimi.linear %h, %w : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x128xf32>
    %x = kimi.round %a : tensor<?x128xf32> -> tensor<?x128xbf16>
    %c, %s = kimi.quantise %x blocks 128 : tensor<?x128xbf16> -> tensor<?x128xf8E4M3FN>, tensor<?x1xf32>
    call @sink(%c, %s) : (tensor<?x128xf8E4M3FN>, tensor<?x1xf32>) -> ()
    return
  }
  func.func private @sink(%c: tensor<?x128xf8E4M3FN>, %s: tensor<?x1xf32>) {
    return
  }
}
