// REQUIRES: nvrtc
// RUN: rm -rf %t && mkdir -p %t
// RUN: kimi-opt %s --kimi-fuse --kimi-peel-products --kimi-select-implementation --kimi-join-readers --kimi-select-layout --kimi-generate-code="code-directory=%t/90 kernel-dump=%t/90" | FileCheck %s --check-prefix=IR
// RUN: FileCheck %s --check-prefix=PAIR --input-file=%t/90/linear_swiglu_round_96x64_upto8.cu
// RUN: FileCheck %s --check-prefix=BLOCK --input-file=%t/90/linear_swiglu_round_quantise_128x64_upto8.cu
// RUN: sed s/cuda:sm_90a/cuda:sm_80/ %s | kimi-opt - --kimi-fuse --kimi-peel-products --kimi-select-implementation --kimi-join-readers --kimi-select-layout --kimi-generate-code="code-directory=%t/80 kernel-dump=%t/80"
// RUN: FileCheck %s --check-prefix=PAIR80 --input-file=%t/80/linear_swiglu_round_96x64_upto8.cu
// RUN: FileCheck %s --check-prefix=BLOCK --input-file=%t/80/linear_swiglu_round_quantise_128x64_upto8.cu

// A map for each of the two weights, half a tile of rows each.
// IR: kernel.func private @linear_swiglu_round_96x64_upto8(
// IR-SAME: tensor_maps = [#kernel.tensor_map<argument 1 : bf16, shape [#kernel.extent<one * 64 by 1>, #kernel.extent<one * 96 by 1>], strides [128], box [64, 32], swizzle 128>
// IR-SAME: #kernel.tensor_map<argument 2 : bf16, shape [#kernel.extent<one * 64 by 1>, #kernel.extent<one * 96 by 1>], strides [128], box [64, 32], swizzle 128>
// IR-SAME: #kernel.tensor_map<argument 0 : bf16,

// PAIR: static constexpr int twins = 1;
// PAIR: struct Epilogue {
// PAIR-NEXT: static constexpr Splice kind = Splice::pair;
// PAIR-NEXT: static constexpr int width = 4;
// PAIR-NEXT: u8 *b3;
// PAIR: operator()(int token, int column, const float (&sums)[4]) const {
// PAIR: (sums[0] / (expf((-sums[0])) + 1.0f)) * sums[1]
// PAIR: (sums[2] / (expf((-sums[2])) + 1.0f)) * sums[3]
// PAIR: *reinterpret_cast<vec<bf16, 2> *>(&p0[index_t(token) * 96 + index_t(column / 2)]) = w0;
// PAIR: linear_swiglu_round_96x64_upto8(const long long *dims,
// PAIR-NEXT: const Shape::Token *activations,
// PAIR-NEXT: const Shape::Weight *weight,
// PAIR-NEXT: const Shape::Weight *twinWeight,
// PAIR-NEXT: u8 *b3,
// PAIR-NEXT: const __grid_constant__ TensorMap weightMap,
// PAIR-NEXT: const __grid_constant__ TensorMap twinMap,
// PAIR-NEXT: const __grid_constant__ TensorMap tokenMap) {

// PAIR80: static constexpr Splice kind = Splice::pair;
// PAIR80: skinnyGemm80<Shape>(sharedMemory, dims, weight, nullptr, activations, Epilogue{b3}, twinWeight, nullptr);

// The product is rounded once, to bf16, before its block's maximum; the maximum of four columns, then of the warp's.
// BLOCK: static constexpr Splice kind = Splice::block;
// BLOCK-NEXT: static constexpr int span = 256;
// BLOCK-NEXT: u8 *b3;
// BLOCK-NEXT: u8 *b4;
// BLOCK: operator()(int token, int column, const float (&sums)[8]) const {
// BLOCK: const float [[A:v[0-9]+]] = to_f32(to_bf16(((sums[0] / (expf((-sums[0])) + 1.0f)) * sums[1])));
// BLOCK: const float [[D:v[0-9]+]] = to_f32(to_bf16(((sums[6] / (expf((-sums[6])) + 1.0f)) * sums[7])));
// BLOCK-NEXT: const float [[FOUR:v[0-9]+]] = maximum(fabsf([[D]]), {{.*}}maximum(fabsf([[A]]), 9.99999975e-05f)
// BLOCK-NEXT: const float [[OTHER:v[0-9]+]] = __shfl_xor_sync(0xffffffff, [[FOUR]], 16, 32);
// BLOCK-NEXT: const float {{v[0-9]+}} = maximum([[FOUR]], [[OTHER]]);
// BLOCK: __shfl_xor_sync(0xffffffff, {{v[0-9]+}}, 1, 32);
// BLOCK: const float [[SCALE:v[0-9]+]] = maximum({{.*}}) / 448.0f;
// BLOCK: to_f8e4m3(([[A]] / [[SCALE]]))
// BLOCK: *reinterpret_cast<vec<f8e4m3, 4> *>(&p{{[0-9]}}[index_t(token) * 128 + index_t(column / 2)]) =
// BLOCK: if ((index_t(column / 2) % 128) == 0) {
module attributes {kimi.target = "cuda:sm_90a"} {
  kimi.weight @e : tensor<128x64xbf16> from "e"
  kimi.weight @g : tensor<96x64xbf16> from "g"
  kimi.weight @u : tensor<96x64xbf16> from "u"
  kimi.weight @g2 : tensor<128x64xbf16> from "g2"
  kimi.weight @u2 : tensor<128x64xbf16> from "u2"
  func.func @decode_1() attributes {kimi.entry = #kimi.entry<decode, tokens = 1, sequences = 1, rows = 1>} {
    %e = kimi.load_weight @e : tensor<128x64xbf16>
    %ids = kimi.step_input <token_ids> : tensor<?xi32>
    %h = kimi.embedding %ids, %e : tensor<?xi32>, tensor<128x64xbf16> -> tensor<?x64xbf16>
    %gw = kimi.load_weight @g : tensor<96x64xbf16>
    %g = kimi.linear %h, %gw : tensor<?x64xbf16>, tensor<96x64xbf16> -> tensor<?x96xf32>
    %uw = kimi.load_weight @u : tensor<96x64xbf16>
    %u = kimi.linear %h, %uw : tensor<?x64xbf16>, tensor<96x64xbf16> -> tensor<?x96xf32>
    %s = kimi.swiglu %g, %u : tensor<?x96xf32>, tensor<?x96xf32> -> tensor<?x96xf32>
    %r = kimi.round %s : tensor<?x96xf32> -> tensor<?x96xbf16>
    call @sink(%r) : (tensor<?x96xbf16>) -> ()
    %gw2 = kimi.load_weight @g2 : tensor<128x64xbf16>
    %g2 = kimi.linear %h, %gw2 : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x128xf32>
    %uw2 = kimi.load_weight @u2 : tensor<128x64xbf16>
    %u2 = kimi.linear %h, %uw2 : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x128xf32>
    %s2 = kimi.swiglu %g2, %u2 : tensor<?x128xf32>, tensor<?x128xf32> -> tensor<?x128xf32>
    %r2 = kimi.round %s2 : tensor<?x128xf32> -> tensor<?x128xbf16>
    %c, %scales = kimi.quantise %r2 blocks 128 : tensor<?x128xbf16> -> tensor<?x128xf8E4M3FN>, tensor<?x1xf32>
    call @codes(%c, %scales) : (tensor<?x128xf8E4M3FN>, tensor<?x1xf32>) -> ()
    return
  }
  func.func private @sink(%a: tensor<?x96xbf16>) {
    return
  }
  func.func private @codes(%c: tensor<?x128xf8E4M3FN>, %s: tensor<?x1xf32>) {
    return
  }
}
