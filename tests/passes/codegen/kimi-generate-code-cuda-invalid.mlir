// REQUIRES: nvrtc
// RUN: kimi-opt %s --split-input-file --kimi-generate-code="code-directory=%t" --verify-diagnostics

module attributes {kimi.target = "cuda:sm_90a"} {
  // expected-error @+1 {{kernel 'doubles': a buffer of f64 has no form in CUDA C++: give it one in passes/codegen/PrintCuda.cpp}}
  kernel.func private @doubles(%x: tensor<8xf64>) -> tensor<8xf64> attributes {impl = #kernel.impl<"generated", {tile = array<i64: 0>}>} {
    %y = tensor.empty() : tensor<8xf64>
    %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
        ins(%x : tensor<8xf64>) outs(%y : tensor<8xf64>) {
    ^bb0(%in: f64, %out: f64):
      %0 = arith.negf %in : f64
      linalg.yield %0 : f64
    } -> tensor<8xf64>
    kernel.return %r : tensor<8xf64>
  }
}

// -----

// expected-error @+1 {{target cuda:sm_70 is unknown; cpu:x86-64-v3, cpu:x86-64-v4, cpu:aarch64, cpu:native, cuda:sm_90a and cuda:sm_80 are known}}
module attributes {kimi.target = "cuda:sm_70"} {
}
