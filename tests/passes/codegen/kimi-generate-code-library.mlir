// REQUIRES: nvrtc
// RUN: kimi-opt %s --kimi-fuse --kimi-select-implementation --kimi-select-layout --kimi-generate-code="code-directory=%t" -o %t.mlir
// RUN: FileCheck %s --input-file=%t.mlir
// RUN: kimi-opt %t.mlir --kimi-copy-blocks --kimi-assign-buffers --kimi-verify-arena --kimi-lower-to-plan | FileCheck %s --check-prefix=PLAN

// A library's kernel has no code, but a product and a workspace, which is the last result of its calls.
// CHECK: kernel.call @linear_64x64_over128({{.*}}) : (tensor<?x64xbf16>, tensor<64x64xbf16>) -> (tensor<?x64xf32>, tensor<33554432xi8>)
// CHECK: kernel.func private @linear_64x64_over128(
// CHECK-SAME: tensor<33554432xi8>
// CHECK-NOT: kernel.code
// CHECK-SAME: kernel.grid = [#kernel.extent<tokens * 1 by 1>]
// CHECK-NOT: kernel.launch
// CHECK-SAME: kernel.product = #kernel.matrix_product<activations 0 : bf16, weight 1 : bf16, result 2 : f32, workspace 3 bytes 33554432, columns 64, depth 64>

// PLAN: plan.kernel @linear_64x64_over128 impl <"cublaslt", {workspace = 33554432 : i64}>
// PLAN-SAME: product <activations 0 : bf16, weight 1 : bf16, result 2 : f32, workspace 3 bytes 33554432, columns 64, depth 64>
// PLAN: plan.entry @mixed_300 <mixed>
// PLAN: plan.launch @linear_64x64_over128 grid [tokens] (arena {{[0-9]+}} bytes 38400, weight @w) -> (arena {{[0-9]+}} bytes 76800, arena {{[0-9]+}} bytes 33554432)
module attributes {kimi.target = "cuda:sm_90a", kimi.model = {context = 100 : i64}, kimi.overrides = ["linear=cublaslt"]} {
  kimi.weight @e : tensor<128x64xbf16> from "e"
  kimi.weight @w : tensor<64x64xbf16> from "w"
  func.func @mixed_300() attributes {kimi.entry = #kimi.entry<mixed, tokens = 300, sequences = 4, rows = 4>} {
    %e = kimi.load_weight @e : tensor<128x64xbf16>
    %w = kimi.load_weight @w : tensor<64x64xbf16>
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kimi.embedding %ids, %e : tensor<?xi32>, tensor<128x64xbf16> -> tensor<?x64xbf16>
    %a = kimi.linear %h, %w : tensor<?x64xbf16>, tensor<64x64xbf16> -> tensor<?x64xf32>
    %s = kimi.add %a, %h : tensor<?x64xf32>, tensor<?x64xbf16> -> tensor<?x64xf32>
    %r = kimi.round %s : tensor<?x64xf32> -> tensor<?x64xbf16>
    %b = kimi.linear %r, %e : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x128xf32>
    kimi.step_output <logits> %b : tensor<?x128xf32>
    return
  }
}
