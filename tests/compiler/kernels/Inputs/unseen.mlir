// Kernels that no operation of the model produces: the code generator knows bodies, not names.

// A row reduction with a pointwise chain nobody has seen: max over the row of |x| + 1, then tanh(x / that) * column.
kernel.func @row_chain(%x: tensor<?x37xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
    -> (tensor<?x37xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}) attributes {
      impl = #kernel.impl<"generated", {tile = array<i64: 4, 0>}>} {
  %c0 = arith.constant 0 : index
  %one = arith.constant 1.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x37xf32>
  %rows = tensor.empty(%n) : tensor<?xf32>
  %start = linalg.fill ins(%one : f32) outs(%rows : tensor<?xf32>) -> tensor<?xf32>
  %max = linalg.generic {indexing_maps = [affine_map<(t, c) -> (t, c)>, affine_map<(t, c) -> (t)>],
                         iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<?x37xf32>) outs(%start : tensor<?xf32>) {
  ^bb0(%a: f32, %m: f32):
    %abs = math.absf %a : f32
    %next = arith.maximumf %abs, %m : f32
    linalg.yield %next : f32
  } -> tensor<?xf32>
  %init = tensor.empty(%n) : tensor<?x37xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(t, c) -> (t, c)>, affine_map<(t, c) -> (t)>,
                                        affine_map<(t, c) -> (t, c)>],
                       iterator_types = ["parallel", "parallel"]}
      ins(%x, %max : tensor<?x37xf32>, tensor<?xf32>) outs(%init : tensor<?x37xf32>) {
  ^bb0(%a: f32, %m: f32, %o: f32):
    %q = arith.divf %a, %m : f32
    %t = math.tanh %q : f32
    %c = linalg.index 1 : index
    %ci = arith.index_cast %c : index to i32
    %cf = arith.sitofp %ci : i32 to f32
    %r = arith.mulf %t, %cf : f32
    linalg.yield %r : f32
  } -> tensor<?x37xf32>
  kernel.return %y : tensor<?x37xf32>
}

// A grouped product with odd sizes: 5 groups, 11 inputs, 7 outputs, and a pointwise neighbour.
kernel.func @grouped_odd(%x: tensor<?x11xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]},
                         %rows: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 3 by 1>]},
                         %offsets: tensor<6xi32>, %w: tensor<5x7x11xbf16>)
    -> (tensor<?x7xf32> {kernel.dims = [#kernel.extent<tokens * 3 by 1>]}) attributes {
      impl = #kernel.impl<"generated", {tile = array<i64: 4, 3>}>} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %rows, %c0 : tensor<?xi32>
  %empty = tensor.empty(%n) : tensor<?x7xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x7xf32>) -> tensor<?x7xf32>
  %y = kernel.grouped_matmul %x rows %rows from %c0 offsets %offsets, %w into %init
      : tensor<?x11xf32>, tensor<6xi32>, tensor<5x7x11xbf16>, tensor<?x7xf32>, tensor<?xi32>
  %z = linalg.generic {indexing_maps = [affine_map<(a, c) -> (a, c)>, affine_map<(a, c) -> (a, c)>],
                       iterator_types = ["parallel", "parallel"]}
      ins(%y : tensor<?x7xf32>) outs(%empty : tensor<?x7xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.mulf %a, %a : f32
    %d = arith.addf %s, %a : f32
    linalg.yield %d : f32
  } -> tensor<?x7xf32>
  kernel.return %z : tensor<?x7xf32>
}
