// A product in panels must be packed multiply-adds on every target, and no kernel may ask for a library.
// RUN: rm -rf %t && mkdir -p %t
// RUN: kimi-opt %s --kimi-fuse --kimi-select-implementation --kimi-select-layout --kimi-generate-code="code-directory=%t/v3 kernel-dump=%t/v3" | FileCheck %s --check-prefix=IR
// RUN: FileCheck %s --check-prefix=V3 --input-file=%t/v3/kernels.s
// RUN: llvm-nm --undefined-only %t/v3/*.so | count 0
// RUN: sed s/cpu:x86-64-v3/cpu:x86-64-v4/ %s | kimi-opt - --kimi-fuse --kimi-select-implementation --kimi-select-layout --kimi-generate-code="code-directory=%t/v4 kernel-dump=%t/v4"
// RUN: FileCheck %s --check-prefix=V4 --input-file=%t/v4/kernels.s
// RUN: sed s/cpu:x86-64-v3/cpu:aarch64/ %s | kimi-opt - --kimi-fuse --kimi-select-implementation --kimi-select-layout --kimi-generate-code="code-directory=%t/arm kernel-dump=%t/arm"
// RUN: FileCheck %s --check-prefix=ARM --input-file=%t/arm/kernels.s
// RUN: llvm-nm --undefined-only %t/arm/*.so | count 0

// The kernel keeps its signature and its grid; its body is machine code now.
// IR: kimi.code = "{{[0-9a-f]+}}.so"
// IR: kernel.func private @linear_swiglu_round_64x32
// IR-SAME: kernel.grid = [#kernel.extent<tokens * 1 by 32>]
// IR-NOT: linalg

// V3-LABEL: linear_swiglu_round_64x32:
// V3-COUNT-8: vfmadd{{[0-9]+}}ps {{.*}}%ymm
// V4-LABEL: linear_swiglu_round_64x32:
// V4-COUNT-4: vfmadd{{[0-9]+}}ps {{.*}}%zmm
// ARM-LABEL: linear_swiglu_round_64x32:
// ARM-COUNT-16: fmla v{{[0-9]+}}.4s
module attributes {kimi.target = "cpu:x86-64-v3"} {
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
