// RUN: kimi-opt %s --pass-pipeline='builtin.module(kernel.func(kimi-tile-to-grid))' --split-input-file --verify-diagnostics | FileCheck %s

// One task is 4 rows; the sum of squares and the scaling run inside the same task.
// CHECK-LABEL: kernel.func @norm
// CHECK-SAME: kernel.grid = [#kernel.extent<tokens * 1 by 4>]
// CHECK: scf.forall (%{{.*}}) = (0) to (%{{.*}}) step (4)
// CHECK: linalg.generic {{.*}}"reduction"
// CHECK: linalg.generic
// CHECK: tensor.parallel_insert_slice
kernel.func @norm(%x: tensor<?x8xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
    -> (tensor<?x8xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}) attributes {
      impl = #kernel.impl<"generated", {tile = array<i64: 4, 0>}>} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %rows = tensor.empty(%n) : tensor<?xf32>
  %start = linalg.fill ins(%zero : f32) outs(%rows : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(t, c) -> (t, c)>, affine_map<(t, c) -> (t)>],
                         iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<?x8xf32>) outs(%start : tensor<?xf32>) {
  ^bb0(%a: f32, %s: f32):
    %next = math.fma %a, %a, %s : f32
    linalg.yield %next : f32
  } -> tensor<?xf32>
  %init = tensor.empty(%n) : tensor<?x8xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(t, c) -> (t, c)>, affine_map<(t, c) -> (t)>,
                                        affine_map<(t, c) -> (t, c)>],
                       iterator_types = ["parallel", "parallel"]}
      ins(%x, %sum : tensor<?x8xf32>, tensor<?xf32>) outs(%init : tensor<?x8xf32>) {
  ^bb0(%a: f32, %s: f32, %o: f32):
    %q = arith.divf %a, %s : f32
    linalg.yield %q : f32
  } -> tensor<?x8xf32>
  kernel.return %y : tensor<?x8xf32>
}

// -----

// The error twin: nothing here can be split into tasks.
// expected-error @+1 {{kernel 'argument' has no result that can be split into tasks}}
kernel.func @argument(%x: tensor<8xf32>) -> tensor<8xf32> {
  kernel.return %x : tensor<8xf32>
}
