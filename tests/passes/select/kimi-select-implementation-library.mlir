// RUN: kimi-opt %s --kimi-fuse --kimi-select-implementation --split-input-file --verify-diagnostics | FileCheck %s

// Large mixed entries call the library, whose result is rounded by itself where nothing but a rounding follows, and else is
// the sums: what follows them is a generated kernel. Equal products are one kernel. Decode entries keep their template.
// CHECK-LABEL: func.func private @layer_over128(
// CHECK: %[[A:.+]] = kernel.call @linear_round_64x64_over128(%arg0, %{{.+}}) : (tensor<?x64xbf16>, tensor<64x64xbf16>) -> tensor<?x64xbf16>
// CHECK: %[[B:.+]] = kernel.call @linear_64x64_over128(%[[A]], %{{.+}}) : (tensor<?x64xbf16>, tensor<64x64xbf16>) -> tensor<?x64xf32>
// CHECK: %[[C:.+]] = kernel.call @add_round_64_over128(%arg0, %[[B]]) : (tensor<?x64xbf16>, tensor<?x64xf32>) -> tensor<?x64xbf16>
// CHECK: %[[D:.+]] = kernel.call @linear_64x64_over128(%[[C]], %{{.+}}) : (tensor<?x64xbf16>, tensor<64x64xbf16>) -> tensor<?x64xf32>
// CHECK: kernel.call @rms_norm_round_64(%[[D]], %{{.+}}) : (tensor<?x64xf32>, tensor<64xbf16>) -> tensor<?x64xbf16>
// CHECK: func.func private @layer_upto8(
// CHECK: kernel.call @linear_round_64x64_upto8(
// CHECK: kernel.call @linear_add_round_64x64_upto8(
// CHECK: func.func @decode_4()
// CHECK: call @layer_upto8(
// CHECK: func.func @mixed_256()
// CHECK: call @layer_over128(
// CHECK: func.func @mixed_512()
// CHECK: call @layer_over128(
// CHECK-DAG: kernel.func private @linear_round_64x64_over128({{.*}}-> (tensor<?x64xbf16> {{.*}}impl = #kernel.impl<"cublaslt", {workspace = 33554432 : i64}>, kernel.ops = ["linear", "round"]
// CHECK-DAG: kernel.func private @linear_64x64_over128({{.*}}-> (tensor<?x64xf32> {{.*}}impl = #kernel.impl<"cublaslt", {workspace = 33554432 : i64}>, kernel.ops = ["linear"]
// CHECK-DAG: kernel.func private @add_round_64_over128({{.*}}impl = #kernel.impl<"generated", {{.*}}kernel.ops = ["add", "round"]
module attributes {kimi.target = "cuda:sm_90a", kimi.overrides = ["linear=cublaslt"]} {
  kimi.weight @e : tensor<128x64xbf16> from "e"
  kimi.weight @w : tensor<64x64xbf16> from "w.{layer}" layers 0 count 1
  kimi.weight @g : tensor<64xbf16> from "g.{layer}" layers 0 count 1
  func.func private @layer(%h: tensor<?x64xbf16>, %l: index) -> tensor<?x64xbf16> {
    %w = kimi.load_weight @w[%l] : tensor<64x64xbf16>
    %g = kimi.load_weight @g[%l] : tensor<64xbf16>
    %a = kimi.linear %h, %w : tensor<?x64xbf16>, tensor<64x64xbf16> -> tensor<?x64xf32>
    %r = kimi.round %a : tensor<?x64xf32> -> tensor<?x64xbf16>
    %b = kimi.linear %r, %w : tensor<?x64xbf16>, tensor<64x64xbf16> -> tensor<?x64xf32>
    %s = kimi.add %b, %h : tensor<?x64xf32>, tensor<?x64xbf16> -> tensor<?x64xf32>
    %t = kimi.round %s : tensor<?x64xf32> -> tensor<?x64xbf16>
    %c = kimi.linear %t, %w : tensor<?x64xbf16>, tensor<64x64xbf16> -> tensor<?x64xf32>
    %n = kimi.rms_norm %c, %g eps 1.0e-06 : tensor<?x64xf32>, tensor<64xbf16> -> tensor<?x64xf32>
    %y = kimi.round %n : tensor<?x64xf32> -> tensor<?x64xbf16>
    return %y : tensor<?x64xbf16>
  }
  func.func @decode_4() attributes {kimi.entry = #kimi.entry<decode, tokens = 4, sequences = 4, rows = 4>} {
    %c0 = arith.constant 0 : index
    %e = kimi.load_weight @e : tensor<128x64xbf16>
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kimi.embedding %ids, %e : tensor<?xi32>, tensor<128x64xbf16> -> tensor<?x64xbf16>
    %y = call @layer(%h, %c0) : (tensor<?x64xbf16>, index) -> tensor<?x64xbf16>
    return
  }
  func.func @mixed_256() attributes {kimi.entry = #kimi.entry<mixed, tokens = 256, sequences = 16, rows = 16>} {
    %c0 = arith.constant 0 : index
    %e = kimi.load_weight @e : tensor<128x64xbf16>
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kimi.embedding %ids, %e : tensor<?xi32>, tensor<128x64xbf16> -> tensor<?x64xbf16>
    %y = call @layer(%h, %c0) : (tensor<?x64xbf16>, index) -> tensor<?x64xbf16>
    return
  }
  func.func @mixed_512() attributes {kimi.entry = #kimi.entry<mixed, tokens = 512, sequences = 16, rows = 16>} {
    %c0 = arith.constant 0 : index
    %e = kimi.load_weight @e : tensor<128x64xbf16>
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kimi.embedding %ids, %e : tensor<?xi32>, tensor<128x64xbf16> -> tensor<?x64xbf16>
    %y = call @layer(%h, %c0) : (tensor<?x64xbf16>, index) -> tensor<?x64xbf16>
    return
  }
}

// -----

// Two products and what follows both: two calls and a generated kernel.
// CHECK-LABEL: func.func @mixed_300()
// CHECK: %[[G:.+]] = kernel.call @linear_96x64_over128(%[[X:.+]], %{{.+}}) : (tensor<?x64xbf16>, tensor<96x64xbf16>) -> tensor<?x96xf32>
// CHECK: %[[U:.+]] = kernel.call @linear_96x64_over128(%[[X]], %{{.+}}) : (tensor<?x64xbf16>, tensor<96x64xbf16>) -> tensor<?x96xf32>
// CHECK: kernel.call @swiglu_round_96_over128(%[[G]], %[[U]]) : (tensor<?x96xf32>, tensor<?x96xf32>) -> tensor<?x96xbf16>
module attributes {kimi.target = "cuda:sm_90a", kimi.overrides = ["linear=cublaslt"]} {
  kimi.weight @e : tensor<128x64xbf16> from "e"
  kimi.weight @g : tensor<96x64xbf16> from "g"
  kimi.weight @u : tensor<96x64xbf16> from "u"
  func.func @mixed_300() attributes {kimi.entry = #kimi.entry<mixed, tokens = 300, sequences = 16, rows = 16>} {
    %e = kimi.load_weight @e : tensor<128x64xbf16>
    %gate = kimi.load_weight @g : tensor<96x64xbf16>
    %up = kimi.load_weight @u : tensor<96x64xbf16>
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kimi.embedding %ids, %e : tensor<?xi32>, tensor<128x64xbf16> -> tensor<?x64xbf16>
    %a = kimi.linear %h, %gate : tensor<?x64xbf16>, tensor<96x64xbf16> -> tensor<?x96xf32>
    %b = kimi.linear %h, %up : tensor<?x64xbf16>, tensor<96x64xbf16> -> tensor<?x96xf32>
    %s = kimi.swiglu %a, %b : tensor<?x96xf32>, tensor<?x96xf32> -> tensor<?x96xf32>
    %y = kimi.round %s : tensor<?x96xf32> -> tensor<?x96xbf16>
    func.call @sink(%y) : (tensor<?x96xbf16>) -> ()
    return
  }
  func.func private @sink(%y: tensor<?x96xbf16>) {
    return
  }
}

// -----

// Where the library does not serve, what else people ask for holds.
// CHECK-LABEL: func.func @decode_1()
// CHECK: kernel.call @linear_64x64(
// CHECK-LABEL: func.func @mixed_300()
// CHECK: kernel.call @linear_64x64_over128(
// CHECK-NOT: skinny_gemm
module attributes {kimi.target = "cuda:sm_90a", kimi.overrides = ["*=generated", "linear=cublaslt"]} {
  kimi.weight @w : tensor<64x64xbf16> from "w"
  kimi.weight @e : tensor<128x64xbf16> from "e"
  func.func @decode_1() attributes {kimi.entry = #kimi.entry<decode, tokens = 1, sequences = 1, rows = 1>} {
    %e = kimi.load_weight @e : tensor<128x64xbf16>
    %w = kimi.load_weight @w : tensor<64x64xbf16>
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kimi.embedding %ids, %e : tensor<?xi32>, tensor<128x64xbf16> -> tensor<?x64xbf16>
    %a = kimi.linear %h, %w : tensor<?x64xbf16>, tensor<64x64xbf16> -> tensor<?x64xf32>
    call @sink(%a) : (tensor<?x64xf32>) -> ()
    return
  }
  func.func @mixed_300() attributes {kimi.entry = #kimi.entry<mixed, tokens = 300, sequences = 4, rows = 4>} {
    %e = kimi.load_weight @e : tensor<128x64xbf16>
    %w = kimi.load_weight @w : tensor<64x64xbf16>
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kimi.embedding %ids, %e : tensor<?xi32>, tensor<128x64xbf16> -> tensor<?x64xbf16>
    %a = kimi.linear %h, %w : tensor<?x64xbf16>, tensor<64x64xbf16> -> tensor<?x64xf32>
    call @sink(%a) : (tensor<?x64xf32>) -> ()
    return
  }
  func.func private @sink(%a: tensor<?x64xf32>) {
    return
  }
}

// -----

// It is chosen where people ask for it, and nowhere else.
// CHECK-LABEL: func.func @mixed_300()
// CHECK: kernel.call @linear_64x64(
// CHECK-NOT: cublaslt
module attributes {kimi.target = "cuda:sm_90a"} {
  kimi.weight @w : tensor<64x64xbf16> from "w"
  kimi.weight @e : tensor<128x64xbf16> from "e"
  func.func @mixed_300() attributes {kimi.entry = #kimi.entry<mixed, tokens = 300, sequences = 4, rows = 4>} {
    %e = kimi.load_weight @e : tensor<128x64xbf16>
    %w = kimi.load_weight @w : tensor<64x64xbf16>
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kimi.embedding %ids, %e : tensor<?xi32>, tensor<128x64xbf16> -> tensor<?x64xbf16>
    %a = kimi.linear %h, %w : tensor<?x64xbf16>, tensor<64x64xbf16> -> tensor<?x64xf32>
    call @sink(%a) : (tensor<?x64xf32>) -> ()
    return
  }
  func.func private @sink(%a: tensor<?x64xf32>) {
    return
  }
}

// -----

// expected-error @+1 {{--impl linear=cublaslt: cublaslt can serve no kernel of this plan: there is nothing for it in mixed entries of more than 128 rows; use generated}}
module attributes {kimi.target = "cuda:sm_90a", kimi.overrides = ["linear=cublaslt"]} {
  kimi.weight @w : tensor<64x64xbf16> from "w"
  kimi.weight @e : tensor<128x64xbf16> from "e"
  func.func @decode_200() attributes {kimi.entry = #kimi.entry<decode, tokens = 200, sequences = 200, rows = 200>} {
    %e = kimi.load_weight @e : tensor<128x64xbf16>
    %w = kimi.load_weight @w : tensor<64x64xbf16>
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kimi.embedding %ids, %e : tensor<?xi32>, tensor<128x64xbf16> -> tensor<?x64xbf16>
    %a = kimi.linear %h, %w : tensor<?x64xbf16>, tensor<64x64xbf16> -> tensor<?x64xf32>
    call @sink(%a) : (tensor<?x64xf32>) -> ()
    return
  }
  func.func private @sink(%a: tensor<?x64xf32>) {
    return
  }
}

// -----

// expected-error @+1 {{--impl linear=cublaslt: cublaslt can serve no kernel of this plan: kernel 'linear_64x60': cublaslt wants rows of whole 16 bytes: 64 columns and depth 60 are not both multiples of 8; use generated}}
module attributes {kimi.target = "cuda:sm_80", kimi.overrides = ["linear=cublaslt"]} {
  kimi.weight @w : tensor<64x60xbf16> from "w"
  kimi.weight @e : tensor<128x60xbf16> from "e"
  func.func @mixed_300() attributes {kimi.entry = #kimi.entry<mixed, tokens = 300, sequences = 4, rows = 4>} {
    %e = kimi.load_weight @e : tensor<128x60xbf16>
    %w = kimi.load_weight @w : tensor<64x60xbf16>
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kimi.embedding %ids, %e : tensor<?xi32>, tensor<128x60xbf16> -> tensor<?x60xbf16>
    %a = kimi.linear %h, %w : tensor<?x60xbf16>, tensor<64x60xbf16> -> tensor<?x64xf32>
    call @sink(%a) : (tensor<?x64xf32>) -> ()
    return
  }
  func.func private @sink(%a: tensor<?x64xf32>) {
    return
  }
}

// -----

// expected-error @+1 {{--impl linear=cublaslt: 'linear' has no implementation 'cublaslt'; it can be served by: generated}}
module attributes {kimi.target = "cpu", kimi.overrides = ["linear=cublaslt"]} {
  kimi.weight @w : tensor<32x8xbf16> from "w"
  func.func private @f(%h: tensor<?x8xbf16>) -> tensor<?x32xf32> {
    %w = kimi.load_weight @w : tensor<32x8xbf16>
    %a = kimi.linear %h, %w : tensor<?x8xbf16>, tensor<32x8xbf16> -> tensor<?x32xf32>
    return %a : tensor<?x32xf32>
  }
}

// -----

// Each request serves something, not all of them together.
// expected-error @+1 {{--impl embedding=cublaslt: cublaslt can serve no kernel of this plan: none that it serves holds 'embedding'; use generated}}
module attributes {kimi.target = "cuda:sm_90a", kimi.overrides = ["linear=cublaslt", "embedding=cublaslt"]} {
  kimi.weight @w : tensor<64x64xbf16> from "w"
  kimi.weight @e : tensor<128x64xbf16> from "e"
  func.func @mixed_300() attributes {kimi.entry = #kimi.entry<mixed, tokens = 300, sequences = 4, rows = 4>} {
    %e = kimi.load_weight @e : tensor<128x64xbf16>
    %w = kimi.load_weight @w : tensor<64x64xbf16>
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kimi.embedding %ids, %e : tensor<?xi32>, tensor<128x64xbf16> -> tensor<?x64xbf16>
    %a = kimi.linear %h, %w : tensor<?x64xbf16>, tensor<64x64xbf16> -> tensor<?x64xf32>
    call @sink(%a) : (tensor<?x64xf32>) -> ()
    return
  }
  func.func private @sink(%a: tensor<?x64xf32>) {
    return
  }
}

// -----

// expected-error @+1 {{--impl linear=cublaslt: cublaslt can serve no kernel of this plan: kernel 'dequantise_linear_64x128': cublaslt multiplies bf16 by bf16 only, not codes with scales; use generated}}
module attributes {kimi.target = "cuda:sm_90a", kimi.overrides = ["linear=cublaslt"]} {
  kimi.weight @c : tensor<64x128xf8E4M3FN> from "c" quantised <codes 128 x 128>
  kimi.weight @s : tensor<1x1xf32> from "s" quantised <scales 128 x 128>
  kimi.weight @e : tensor<128x128xbf16> from "e"
  func.func @mixed_300() attributes {kimi.entry = #kimi.entry<mixed, tokens = 300, sequences = 4, rows = 4>} {
    %e = kimi.load_weight @e : tensor<128x128xbf16>
    %c = kimi.load_weight @c : tensor<64x128xf8E4M3FN>
    %s = kimi.load_weight @s : tensor<1x1xf32>
    %w = kimi.dequantise %c, %s blocks 128 x 128 : tensor<64x128xf8E4M3FN>, tensor<1x1xf32> -> tensor<64x128xf32>
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kimi.embedding %ids, %e : tensor<?xi32>, tensor<128x128xbf16> -> tensor<?x128xbf16>
    %a = kimi.linear %h, %w : tensor<?x128xbf16>, tensor<64x128xf32> -> tensor<?x64xf32>
    call @sink(%a) : (tensor<?x64xf32>) -> ()
    return
  }
  func.func private @sink(%a: tensor<?x64xf32>) {
    return
  }
}
