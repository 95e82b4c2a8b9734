// REQUIRES: nvrtc
// RUN: rm -rf %t && mkdir -p %t
// RUN: kimi-opt %s --kimi-fuse --kimi-select-implementation --kimi-select-layout --kimi-generate-code="code-directory=%t/90 kernel-dump=%t/90" | FileCheck %s --check-prefix=IR
// RUN: FileCheck %s --check-prefix=CU --input-file=%t/90/linear_swiglu_round_64x32.cu
// RUN: FileCheck %s --check-prefix=TABLE --input-file=%t/90/resources.txt
// RUN: sed s/cuda:sm_90a/cuda:sm_80/ %s | kimi-opt - --kimi-fuse --kimi-select-implementation --kimi-select-layout --kimi-generate-code="code-directory=%t/80" | FileCheck %s --check-prefix=IR

// Weights stay row-major, tasks are blocks of 16 rows and columns, and each kernel has its own cubin.
// IR: kimi.weight @g : tensor<64x32xbf16> from "g" layout #kernel.layout<row_major, 1>
// IR: kernel.func private @linear_swiglu_round_64x32
// IR-SAME: kernel.code = "{{[0-9a-f]+}}.cubin"
// IR-SAME: kernel.grid = [#kernel.extent<tokens * 1 by 16>, #kernel.extent<one * 64 by 16>]
// IR-SAME: kernel.launch = #kernel.launch<threads = 256, shared_bytes = 3072>

// CU: extern "C" __global__ void __launch_bounds__(256, 1)
// CU-NEXT: linear_swiglu_round_64x32(const i64 *__restrict__ dims, u8 *__restrict__ b0,
// CU: if (u64(task0) < u64(
// CU: fmaf(to_f32({{v[0-9]+}}), {{v[0-9]+}}, s0)
// CU: __shfl_xor_sync(0xffffffff, s0, 16, 32)
// CU: to_bf16(

// TABLE: kernel threads registers shared bytes stack bytes cubin bytes
// TABLE-NEXT: linear_swiglu_round_64x32 256 {{[0-9]+}} 3072 0
module attributes {kimi.target = "cuda:sm_90a"} {
  kimi.weight @g : tensor<64x32xbf16> from "g"
  kimi.weight @u : tensor<64x32xbf16> from "u"
  func.func private @f(%h: tensor<?x32xbf16>) -> tensor<?x64xbf16> {
    %gw = kimi.load_weight @g : tensor<64x32xbf16>
    %g = kimi.linear %h, %gw : tensor<?x32xbf16>, tensor<64x32xbf16> -> tensor<?x64xf32>
    %uw = kimi.load_weight @u : tensor<64x32xbf16>
    %u = kimi.linear %h, %uw : tensor<?x32xbf16>, tensor<64x32xbf16> -> tensor<?x64xf32>
    %s = kimi.swiglu %g, %u : tensor<?x64xf32>, tensor<?x64xf32> -> tensor<?x64xf32>
    %r = kimi.round %s : tensor<?x64xf32> -> tensor<?x64xbf16>
    return %r : tensor<?x64xbf16>
  }
}
