// RUN: kimi-opt %s --split-input-file --kimi-generate-code="code-directory=%t" --verify-diagnostics
// REQUIRES: nvrtc

#full = affine_map<(t, n, k) -> (t, k)>
#weight = affine_map<(t, n, k) -> (n, k)>
#out = affine_map<(t, n, k) -> (t, n)>
module attributes {kimi.target = "cuda:sm_90a"} {
  // expected-error @+1 {{kernel 'edited': skinny_gemm: token_tile is 8, 16, 32, 64 or 128, token_blocks 1 or 2, and their product at least the 8 tokens of the entry, not 24 * 1}}
  kernel.func private @edited(%x: tensor<?x64xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}, %w: tensor<64x64xbf16>)
      -> (tensor<?x64xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      attributes {impl = #kernel.impl<"skinny_gemm", {accumulators = 1, depth_groups = 1, lead = 0, residency = 1, row_tiles = 1, rows = 8, split = 1, successors = 0, token_blocks = 1, token_rows = 0, token_stages = 2, token_tile = 24, weight_stages = 2, weights_first = 0}>} {
    %zero = arith.constant 0.0 : f32
    %c0 = arith.constant 0 : index
    %n = tensor.dim %x, %c0 : tensor<?x64xbf16>
    %e = tensor.empty(%n) : tensor<?x64xf32>
    %i = linalg.fill ins(%zero : f32) outs(%e : tensor<?x64xf32>) -> tensor<?x64xf32>
    %y = linalg.generic {indexing_maps = [#full, #weight, #out], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<?x64xbf16>, tensor<64x64xbf16>) outs(%i : tensor<?x64xf32>) {
    ^bb0(%a: bf16, %b: bf16, %o: f32):
      %0 = arith.extf %a : bf16 to f32
      %1 = arith.extf %b : bf16 to f32
      %2 = math.fma %0, %1, %o : f32
      linalg.yield %2 : f32
    } -> tensor<?x64xf32>
    kernel.return %y : tensor<?x64xf32>
  }
}

// -----

module attributes {kimi.target = "cuda:sm_90a"} {
  // expected-error @+1 {{kernel 'round': skinny_gemm takes one product x[t, k] * w[n, k] of bf16 or block-scaled e4m3, row-major, or two that differ in w alone; here are 0}}
  kernel.func private @round(%x: tensor<8xf32>) -> tensor<8xf32> attributes {impl = #kernel.impl<"skinny_gemm", {rows = 8}>} {
    kernel.return %x : tensor<8xf32>
  }
}

// -----

module attributes {kimi.target = "cuda:sm_90a"} {
  // expected-error @+1 {{kernel 'round': cuda:sm_90a has no implementation 'magic'; it has generated, skinny_gemm and cublaslt}}
  kernel.func private @round(%x: tensor<8xf32>) -> tensor<8xf32> attributes {impl = #kernel.impl<"magic", {}>} {
    kernel.return %x : tensor<8xf32>
  }
}

// -----

module attributes {kimi.target = "cpu"} {
  // expected-error @+1 {{kernel 'round': cpu has no implementation "skinny_gemm"; it has generated}}
  kernel.func private @round(%x: tensor<8xf32>) -> tensor<8xf32> attributes {impl = #kernel.impl<"skinny_gemm", {rows = 8}>} {
    kernel.return %x : tensor<8xf32>
  }
}

// -----

// Rows that are two of every token's are not the rows of the step.
#full = affine_map<(t, n, k) -> (t, k)>
#weight = affine_map<(t, n, k) -> (n, k)>
#out = affine_map<(t, n, k) -> (t, n)>
module attributes {kimi.target = "cuda:sm_90a"} {
  // expected-error @+1 {{kernel 'halves': skinny_gemm takes one product x[t, k] * w[n, k] of bf16 or block-scaled e4m3, row-major, or two that differ in w alone; here are 0}}
  kernel.func private @halves(%h: tensor<?x2x64xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}, %w: tensor<64x64xbf16>)
      -> (tensor<?x64xf32> {kernel.dims = [#kernel.extent<tokens * 2 by 1>]}) attributes {impl = #kernel.impl<"skinny_gemm", {rows = 8}>} {
    %zero = arith.constant 0.0 : f32
    %c0 = arith.constant 0 : index
    %x = tensor.collapse_shape %h [[0, 1], [2]] : tensor<?x2x64xbf16> into tensor<?x64xbf16>
    %n = tensor.dim %x, %c0 : tensor<?x64xbf16>
    %e = tensor.empty(%n) : tensor<?x64xf32>
    %i = linalg.fill ins(%zero : f32) outs(%e : tensor<?x64xf32>) -> tensor<?x64xf32>
    %y = linalg.generic {indexing_maps = [#full, #weight, #out], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<?x64xbf16>, tensor<64x64xbf16>) outs(%i : tensor<?x64xf32>) {
    ^bb0(%a: bf16, %b: bf16, %o: f32):
      %0 = arith.extf %a : bf16 to f32
      %1 = arith.extf %b : bf16 to f32
      %2 = math.fma %0, %1, %o : f32
      linalg.yield %2 : f32
    } -> tensor<?x64xf32>
    kernel.return %y : tensor<?x64xf32>
  }
}

// -----

// A sum over a row's columns: the template passes columns, or blocks of 128.
#full = affine_map<(t, n, k) -> (t, k)>
#weight = affine_map<(t, n, k) -> (n, k)>
#out = affine_map<(t, n, k) -> (t, n)>
module attributes {kimi.target = "cuda:sm_90a"} {
  // expected-error @+1 {{kernel 'sum': 'linalg.generic' after the product is no elementwise epilogue of skinny_gemm, nor a maximum over 128 columns: peel it into a kernel of its own}}
  kernel.func private @sum(%x: tensor<?x64xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}, %w: tensor<128x64xbf16>)
      -> (tensor<?x1xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}) attributes {impl = #kernel.impl<"skinny_gemm", {rows = 8}>} {
    %zero = arith.constant 0.0 : f32
    %c0 = arith.constant 0 : index
    %n = tensor.dim %x, %c0 : tensor<?x64xbf16>
    %e = tensor.empty(%n) : tensor<?x128xf32>
    %i = linalg.fill ins(%zero : f32) outs(%e : tensor<?x128xf32>) -> tensor<?x128xf32>
    %y = linalg.generic {indexing_maps = [#full, #weight, #out], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<?x64xbf16>, tensor<128x64xbf16>) outs(%i : tensor<?x128xf32>) {
    ^bb0(%a: bf16, %b: bf16, %o: f32):
      %0 = arith.extf %a : bf16 to f32
      %1 = arith.extf %b : bf16 to f32
      %2 = math.fma %0, %1, %o : f32
      linalg.yield %2 : f32
    } -> tensor<?x128xf32>
    %e1 = tensor.empty(%n) : tensor<?x1xf32>
    %i1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<?x1xf32>) -> tensor<?x1xf32>
    %window = tensor.empty() : tensor<128xf32>
    %s = linalg.generic {indexing_maps = [affine_map<(t, b, j) -> (j)>, affine_map<(t, b, j) -> (t, b)>],
                         iterator_types = ["parallel", "parallel", "reduction"]} ins(%window : tensor<128xf32>) outs(%i1 : tensor<?x1xf32>) {
    ^bb0(%a: f32, %o: f32):
      %t = linalg.index 0 : index
      %j = linalg.index 2 : index
      %v = tensor.extract %y[%t, %j] : tensor<?x128xf32>
      %0 = arith.addf %v, %o : f32
      linalg.yield %0 : f32
    } -> tensor<?x1xf32>
    kernel.return %s : tensor<?x1xf32>
  }
}

// -----

#full = affine_map<(t, n, k) -> (t, k)>
#weight = affine_map<(t, n, k) -> (n, k)>
#out = affine_map<(t, n, k) -> (t, n)>
module attributes {kimi.target = "cuda:sm_90a"} {
  // expected-error @+1 {{kernel 'edited': cublaslt has one parameter, workspace, 1 to 4294967296 bytes, not {workspace = 0 : i64}}}
  kernel.func private @edited(%x: tensor<?x64xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}, %w: tensor<64x64xbf16> {kernel.weight = tensor<64x64xbf16>})
      -> (tensor<?x64xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      attributes {impl = #kernel.impl<"cublaslt", {workspace = 0}>} {
    %zero = arith.constant 0.0 : f32
    %c0 = arith.constant 0 : index
    %n = tensor.dim %x, %c0 : tensor<?x64xbf16>
    %e = tensor.empty(%n) : tensor<?x64xf32>
    %i = linalg.fill ins(%zero : f32) outs(%e : tensor<?x64xf32>) -> tensor<?x64xf32>
    %y = linalg.generic {indexing_maps = [#full, #weight, #out], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<?x64xbf16>, tensor<64x64xbf16>) outs(%i : tensor<?x64xf32>) {
    ^bb0(%a: bf16, %b: bf16, %o: f32):
      %0 = arith.extf %a : bf16 to f32
      %1 = arith.extf %b : bf16 to f32
      %2 = math.fma %0, %1, %o : f32
      linalg.yield %2 : f32
    } -> tensor<?x64xf32>
    kernel.return %y : tensor<?x64xf32>
  }
}

// -----

#full = affine_map<(t, n, k) -> (t, k)>
#weight = affine_map<(t, n, k) -> (n, k)>
#out = affine_map<(t, n, k) -> (t, n)>
module attributes {kimi.target = "cuda:sm_90a"} {
  // expected-error @+1 {{kernel 'negated': cublaslt computes a product, as f32 or rounded to bf16; what else this kernel does must be a kernel of its own: run select again}}
  kernel.func private @negated(%x: tensor<?x64xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}, %w: tensor<64x64xbf16> {kernel.weight = tensor<64x64xbf16>})
      -> (tensor<?x64xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      attributes {impl = #kernel.impl<"cublaslt", {workspace = 1024}>} {
    %zero = arith.constant 0.0 : f32
    %c0 = arith.constant 0 : index
    %n = tensor.dim %x, %c0 : tensor<?x64xbf16>
    %e = tensor.empty(%n) : tensor<?x64xf32>
    %i = linalg.fill ins(%zero : f32) outs(%e : tensor<?x64xf32>) -> tensor<?x64xf32>
    %y = linalg.generic {indexing_maps = [#full, #weight, #out], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<?x64xbf16>, tensor<64x64xbf16>) outs(%i : tensor<?x64xf32>) {
    ^bb0(%a: bf16, %b: bf16, %o: f32):
      %0 = arith.extf %a : bf16 to f32
      %1 = arith.extf %b : bf16 to f32
      %2 = math.fma %0, %1, %o : f32
      linalg.yield %2 : f32
    } -> tensor<?x64xf32>
    %z = linalg.generic {indexing_maps = [affine_map<(t, n) -> (t, n)>, affine_map<(t, n) -> (t, n)>], iterator_types = ["parallel", "parallel"]}
        ins(%y : tensor<?x64xf32>) outs(%e : tensor<?x64xf32>) {
    ^bb0(%a: f32, %o: f32):
      %0 = arith.negf %a : f32
      linalg.yield %0 : f32
    } -> tensor<?x64xf32>
    kernel.return %z : tensor<?x64xf32>
  }
}

// -----

module attributes {kimi.target = "cuda:sm_90a"} {
  // expected-error @+1 {{kernel 'round': cublaslt takes products x[t, k] * w[n, k], row-major; here is none}}
  kernel.func private @round(%x: tensor<8xf32>) -> tensor<8xf32> attributes {impl = #kernel.impl<"cublaslt", {workspace = 1024}>} {
    kernel.return %x : tensor<8xf32>
  }
}
