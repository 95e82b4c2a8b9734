// Products and conversions for another architecture, run once under emulation by aarch64.sh.
module attributes {kimi.target = "cpu:aarch64"} {
  kernel.func @product(%x: tensor<?x37xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}, %w: tensor<2x37x16xf32>)
      -> (tensor<?x2x16xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}) attributes {
        impl = #kernel.impl<"generated", {tile = array<i64: 4, 0, 0>}>} {
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %n = tensor.dim %x, %c0 : tensor<?x37xf32>
    %empty = tensor.empty(%n) : tensor<?x2x16xf32>
    %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x2x16xf32>) -> tensor<?x2x16xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(t, n, l, k) -> (t, k)>, affine_map<(t, n, l, k) -> (n, k, l)>,
                                          affine_map<(t, n, l, k) -> (t, n, l)>],
                         iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<?x37xf32>, tensor<2x37x16xf32>) outs(%init : tensor<?x2x16xf32>) {
    ^bb0(%a: f32, %b: f32, %c: f32):
      %d = math.fma %a, %b, %c : f32
      linalg.yield %d : f32
    } -> tensor<?x2x16xf32>
    kernel.return %y : tensor<?x2x16xf32>
  }

  // Every e4m3 code, with one scale.
  kernel.func @codes(%x: tensor<?x8xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}, %c: tensor<2x8x16xf8E4M3FN>,
                     %s: tensor<1x1xf32>) -> (tensor<?x2x16xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      attributes {impl = #kernel.impl<"generated", {tile = array<i64: 4, 0, 0>}>} {
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %n = tensor.dim %x, %c0 : tensor<?x8xf32>
    %empty = tensor.empty(%n) : tensor<?x2x16xf32>
    %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x2x16xf32>) -> tensor<?x2x16xf32>
    %w = kernel.dequantise %c, %s blocks 128 x 128 panels : tensor<2x8x16xf8E4M3FN>, tensor<1x1xf32> -> tensor<2x8x16xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(t, n, l, k) -> (t, k)>, affine_map<(t, n, l, k) -> (n, k, l)>,
                                          affine_map<(t, n, l, k) -> (t, n, l)>],
                         iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<?x8xf32>, tensor<2x8x16xf32>) outs(%init : tensor<?x2x16xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %d = math.fma %a, %b, %o : f32
      linalg.yield %d : f32
    } -> tensor<?x2x16xf32>
    kernel.return %y : tensor<?x2x16xf32>
  }

  // To the nearest code, ties to even.
  kernel.func @narrow(%x: tensor<?x37xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x37xf8E4M3FN> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}) attributes {
        impl = #kernel.impl<"generated", {tile = array<i64: 4, 0>}>} {
    %c0 = arith.constant 0 : index
    %n = tensor.dim %x, %c0 : tensor<?x37xf32>
    %empty = tensor.empty(%n) : tensor<?x37xf8E4M3FN>
    %y = linalg.generic {indexing_maps = [affine_map<(t, c) -> (t, c)>, affine_map<(t, c) -> (t, c)>],
                         iterator_types = ["parallel", "parallel"]}
        ins(%x : tensor<?x37xf32>) outs(%empty : tensor<?x37xf8E4M3FN>) {
    ^bb0(%a: f32, %o: f8E4M3FN):
      %r = arith.truncf %a : f32 to f8E4M3FN
      linalg.yield %r : f8E4M3FN
    } -> tensor<?x37xf8E4M3FN>
    kernel.return %y : tensor<?x37xf8E4M3FN>
  }
}
