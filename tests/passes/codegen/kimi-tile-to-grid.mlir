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

// A product of codes: each task reads its own panels and the one row of scales they share, and no value is stored.
// CHECK-LABEL: kernel.func @quantised
// CHECK: scf.forall (%{{.*}}, %[[P:.*]]) =
// CHECK-DAG: tensor.extract_slice %{{.*}}[%[[P]], 0, 0] [4, 200, 16] {{.*}} : tensor<36x200x16xf8E4M3FN>
// CHECK-DAG: tensor.extract_slice %{{.*}}[%{{.*}}, 0] [1, 2] {{.*}} : tensor<5x2xf32>
// CHECK-NOT: kernel.dequantise
// CHECK: linalg.generic {{.*}} "reduction"]} ins(%{{.*}}, %{{.*}}, %{{.*}} : tensor<?x200xf32>, tensor<4x200x16xf8E4M3FN>, tensor<1x2xf32>)
#x = affine_map<(t, p, l, k) -> (t, k)>
#w = affine_map<(t, p, l, k) -> (p, k, l)>
#y = affine_map<(t, p, l, k) -> (t, p, l)>
kernel.func @quantised(%x: tensor<?x200xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}, %c: tensor<36x200x16xf8E4M3FN>,
                       %s: tensor<5x2xf32>) -> (tensor<?x36x16xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
    attributes {impl = #kernel.impl<"generated", {tile = array<i64: 32, 64>}>} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x200xf32>
  %empty = tensor.empty(%n) : tensor<?x36x16xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x36x16xf32>) -> tensor<?x36x16xf32>
  %w = kernel.dequantise %c, %s blocks 128 x 128 panels : tensor<36x200x16xf8E4M3FN>, tensor<5x2xf32> -> tensor<36x200x16xf32>
  %y = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<?x200xf32>, tensor<36x200x16xf32>) outs(%init : tensor<?x36x16xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = math.fma %a, %b, %o : f32
    linalg.yield %d : f32
  } -> tensor<?x36x16xf32>
  kernel.return %y : tensor<?x36x16xf32>
}

// -----

// The error twin: a tile of 48 columns would need two rows of scales, at a place that changes from tile to tile.
kernel.func @cut(%x: tensor<?x8xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}, %c: tensor<576x8xf8E4M3FN>,
                 %s: tensor<5x1xf32>) -> (tensor<?x576xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
    attributes {impl = #kernel.impl<"generated", {tile = array<i64: 32, 48>}>} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %empty = tensor.empty(%n) : tensor<?x576xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x576xf32>) -> tensor<?x576xf32>
  // expected-error @+1 {{has one scale for 128 rows, and a tile that cuts them unevenly: choose a tile of columns that divides 128, or is a multiple}}
  %w = kernel.dequantise %c, %s blocks 128 x 128 : tensor<576x8xf8E4M3FN>, tensor<5x1xf32> -> tensor<576x8xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(t, n, k) -> (t, k)>, affine_map<(t, n, k) -> (n, k)>, affine_map<(t, n, k) -> (t, n)>],
                       iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<?x8xf32>, tensor<576x8xf32>) outs(%init : tensor<?x576xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = math.fma %a, %b, %o : f32
    linalg.yield %d : f32
  } -> tensor<?x576xf32>
  kernel.return %y : tensor<?x576xf32>
}

// -----

// The error twin: nothing here can be split into tasks.
// expected-error @+1 {{kernel 'argument' has no result that can be split into tasks}}
kernel.func @argument(%x: tensor<8xf32>) -> tensor<8xf32> {
  kernel.return %x : tensor<8xf32>
}

// -----

// Attention: a task is one token and as many heads as the tile says at most and divide all: 3 of 6.
// CHECK-LABEL: kernel.func @attention
// CHECK-SAME: kernel.grid = [#kernel.extent<tokens * 1 by 1>, #kernel.extent<one * 6 by 3>]
// CHECK: scf.forall (%[[T:.*]], %[[H:.*]]) = (0, 0) to (%{{.*}}, 6) step (1, 3)
// CHECK: tensor.extract_slice %{{.*}}[%[[T]], %[[H]], 0] [1, 3, 32] [1, 1, 1] : tensor<?x6x32xf32> to tensor<3x32xf32>
kernel.func @attention(%q: tensor<?x6x32xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]},
                       %r: tensor<?x6x16xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}, %cache: memref<?x64x48xbf16> {kernel.dims = [#kernel.extent<cache_blocks * 1 by 1>]},
                       %p: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]},
                       %tables: tensor<?x?xi32> {kernel.dims = [#kernel.extent<sequences * 1 by 1>, #kernel.extent<table_blocks * 1 by 1>]})
    -> (tensor<?x6x32xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
    attributes {impl = #kernel.impl<"generated", {tile = array<i64: 1, 4>}>} {
  %y = kernel.paged_attention %q, %r, %cache, %p, %p, %tables scale 1.250000e-01
      : tensor<?x6x32xf32>, tensor<?x6x16xf32>, memref<?x64x48xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
        -> tensor<?x6x32xf32>
  kernel.return %y : tensor<?x6x32xf32>
}

// -----

// One head by itself stays a row of the product.
// CHECK-LABEL: kernel.func @one_head
// CHECK: tensor.extract_slice %{{.*}} [1, 1, 32] [1, 1, 1] : tensor<?x5x32xf32> to tensor<1x32xf32>
kernel.func @one_head(%q: tensor<?x5x32xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]},
                      %r: tensor<?x5x16xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}, %cache: memref<?x64x48xbf16> {kernel.dims = [#kernel.extent<cache_blocks * 1 by 1>]},
                      %p: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]},
                      %tables: tensor<?x?xi32> {kernel.dims = [#kernel.extent<sequences * 1 by 1>, #kernel.extent<table_blocks * 1 by 1>]})
    -> (tensor<?x5x32xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
    attributes {impl = #kernel.impl<"generated", {tile = array<i64: 1, 4>}>} {
  %y = kernel.paged_attention %q, %r, %cache, %p, %p, %tables scale 1.250000e-01
      : tensor<?x5x32xf32>, tensor<?x5x16xf32>, memref<?x64x48xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
        -> tensor<?x5x32xf32>
  kernel.return %y : tensor<?x5x32xf32>
}
