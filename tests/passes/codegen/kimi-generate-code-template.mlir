// REQUIRES: nvrtc
// RUN: rm -rf %t && mkdir -p %t
// RUN: kimi-opt %s --kimi-fuse --kimi-select-implementation --kimi-select-layout --kimi-generate-code="code-directory=%t/90 kernel-dump=%t/90" | FileCheck %s --check-prefix=IR
// RUN: FileCheck %s --check-prefix=CU --input-file=%t/90/linear_add_round_64x64_upto8.cu
// RUN: sed s/cuda:sm_90a/cuda:sm_80/ %s | kimi-opt - --kimi-fuse --kimi-select-implementation --kimi-select-layout --kimi-generate-code="code-directory=%t/80 kernel-dump=%t/80" | FileCheck %s --check-prefix=IR80
// RUN: FileCheck %s --check-prefix=CU80 --input-file=%t/80/linear_add_round_64x64_upto8.cu

// The template waits for its predecessor itself, and reads weight and activations by tensor maps.
// IR: kernel.func private @linear_add_round_64x64_upto8(
// IR-SAME: kernel.code = "{{[0-9a-f]+}}.cubin", kernel.grid = [#kernel.extent<one * 1 by 1>]
// IR-SAME: kernel.launch = #kernel.launch<threads = {{[0-9]+}}, shared_bytes = {{[0-9]+}}, programmatic = true, tensor_maps = [
// IR-SAME: #kernel.tensor_map<argument 1 : bf16, shape [#kernel.extent<one * 64 by 1>, #kernel.extent<one * 64 by 1>], strides [128], box [64, 64], swizzle 128>
// IR-SAME: #kernel.tensor_map<argument 0 : bf16, shape [#kernel.extent<one * 64 by 1>, #kernel.extent<tokens * 1 by 1>], strides [128], box [64, 8], swizzle 128>]>

// What follows the product is spliced in: four columns of a row at a time, read and written together.
// CU: struct Epilogue {
// CU: static constexpr Splice kind = Splice::element;
// CU: static constexpr int width = 4;
// CU-NEXT: u8 *b2;
// CU-NEXT: u8 *b3;
// CU: operator()(int token, int column, const float (&sums)[4]) const {
// CU: const vec<bf16, 4> w0 = *reinterpret_cast<const vec<bf16, 4> *>(&p{{[0-9]}}[index_t(token) * 64 + index_t(column)]);
// CU: sums[0] + to_f32(w0.at[0])
// CU: *reinterpret_cast<vec<bf16, 4> *>(&p{{[0-9]}}[index_t(token) * 64 + index_t(column)]) = w1;
// CU: linear_add_round_64x64_upto8(const long long *dims,
// CU-NEXT: const Shape::Token *activations,
// CU-NEXT: const Shape::Weight *weight,
// CU-NEXT: u8 *b2,
// CU-NEXT: u8 *b3,
// CU-NEXT: const __grid_constant__ TensorMap weightMap,

// IR80: kernel.launch = #kernel.launch<threads = {{[0-9]+}}, shared_bytes = {{[0-9]+}}>
// CU80: skinnyGemm80<Shape>(
module attributes {kimi.target = "cuda:sm_90a"} {
  kimi.weight @e : tensor<128x64xbf16> from "e"
  kimi.weight @w : tensor<64x64xbf16> from "w"
  func.func @decode_1() attributes {kimi.entry = #kimi.entry<decode, tokens = 1, sequences = 1, rows = 1>} {
    %e = kimi.load_weight @e : tensor<128x64xbf16>
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kimi.embedding %ids, %e : tensor<?xi32>, tensor<128x64xbf16> -> tensor<?x64xbf16>
    %w = kimi.load_weight @w : tensor<64x64xbf16>
    %a = kimi.linear %h, %w : tensor<?x64xbf16>, tensor<64x64xbf16> -> tensor<?x64xf32>
    %x = kimi.round %a : tensor<?x64xf32> -> tensor<?x64xbf16>
    %b = kimi.linear %x, %w : tensor<?x64xbf16>, tensor<64x64xbf16> -> tensor<?x64xf32>
    %s = kimi.add %b, %h : tensor<?x64xf32>, tensor<?x64xbf16> -> tensor<?x64xf32>
    %r = kimi.round %s : tensor<?x64xf32> -> tensor<?x64xbf16>
    call @sink(%r) : (tensor<?x64xbf16>) -> ()
    return
  }
  func.func private @sink(%a: tensor<?x64xbf16>) {
    return
  }
}
