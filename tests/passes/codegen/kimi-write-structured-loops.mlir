// RUN: kimi-opt %s --pass-pipeline='builtin.module(func.func(kimi-write-structured-loops))' | FileCheck %s

// A product in panels: four rows stay in vectors of 16 columns while k runs in order.
// CHECK-LABEL: func.func @product
// CHECK: scf.for
// CHECK: vector.load {{.*}} vector<16xf32>
// CHECK: scf.for {{.*}} iter_args({{.*}}) -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>)
// CHECK-COUNT-4: math.fma {{.*}} : vector<16xf32>
func.func @product(%x: memref<?x8xf32>, %w: memref<2x8x16xf32>, %y: memref<?x2x16xf32>) {
  linalg.generic {indexing_maps = [affine_map<(t, n, l, k) -> (t, k)>, affine_map<(t, n, l, k) -> (n, k, l)>,
                                   affine_map<(t, n, l, k) -> (t, n, l)>],
                  iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<?x8xf32>, memref<2x8x16xf32>) outs(%y : memref<?x2x16xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %d = math.fma %a, %b, %c : f32
    linalg.yield %d : f32
  }
  return
}

// A sum along rows: 16 partial sums, a tree over them, then what is left one by one.
// CHECK-LABEL: func.func @row_sum
// CHECK: arith.addf {{.*}} : vector<16xf32>
// CHECK: vector.extract_strided_slice {{.*}} vector<16xf32> to vector<8xf32>
// CHECK: arith.addf {{.*}} : vector<8xf32>
// CHECK: memref.load
func.func @row_sum(%x: memref<4x37xf32>, %y: memref<4xf32>) {
  linalg.generic {indexing_maps = [affine_map<(t, c) -> (t, c)>, affine_map<(t, c) -> (t)>],
                  iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<4x37xf32>) outs(%y : memref<4xf32>) {
  ^bb0(%a: f32, %s: f32):
    %d = arith.addf %a, %s : f32
    linalg.yield %d : f32
  }
  return
}

// A transposed read has no contiguous lanes: scalar code.
// CHECK-LABEL: func.func @transpose
// CHECK-NOT: vector
// CHECK: return
func.func @transpose(%x: memref<32x32xf32>, %y: memref<32x32xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>],
                  iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<32x32xf32>) outs(%y : memref<32x32xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  }
  return
}

// Nibbles with one scale for 32 columns: a loop over groups, in it one over bytes, whose two halves are written out. The
// scale is applied to a group's sum, which begins at 0.
// CHECK-LABEL: func.func @nibbles
// CHECK: scf.for %[[GROUP:.*]] = %{{.*}} to %{{.*}} step %c32{{.*}} iter_args(%[[SUM:.*]] = %{{.*}}) ->
// CHECK: %[[ZERO:.*]] = arith.constant dense<0.000000e+00> : vector<16xf32>
// CHECK: %[[PART:.*]] = scf.for %[[BYTE:.*]] = %[[GROUP]] to %{{.*}} step %c2{{.*}} iter_args(%{{.*}} = %[[ZERO]]) ->
// CHECK: arith.divui %[[BYTE]], %c2
// CHECK: vector.load {{.*}} vector<16xi8>
// CHECK-NOT: arith.mulf
// CHECK-COUNT-2: math.fma
// CHECK: scf.yield
// CHECK: arith.divui %[[GROUP]], %c32
// CHECK: %[[SCALE:.*]] = vector.load {{.*}} vector<16xbf16>
// CHECK: %[[FACTOR:.*]] = arith.extf %[[SCALE]]
// CHECK: math.fma %[[PART]], %[[FACTOR]], %[[SUM]]
func.func @nibbles(%x: memref<1x64xf32>, %c: memref<1x32x16xi8>, %s: memref<1x2x16xbf16>, %y: memref<1x1x16xf32>) {
  linalg.generic {indexing_maps = [affine_map<(t, p, l, k) -> (t, k)>, affine_map<(t, p, l, k) -> (p, k floordiv 2, l)>,
                                   affine_map<(t, p, l, k) -> (p, k floordiv 32, l)>, affine_map<(t, p, l, k) -> (t, p, l)>],
                  iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %c, %s : memref<1x64xf32>, memref<1x32x16xi8>, memref<1x2x16xbf16>) outs(%y : memref<1x1x16xf32>) {
  ^bb0(%a: f32, %byte: i8, %scale: bf16, %o: f32):
    %k = linalg.index 3 : index
    %bits = affine.apply affine_map<(d0) -> ((d0 mod 2) * 4)>(%k)
    %shift = arith.index_cast %bits : index to i8
    %high = arith.shrui %byte, %shift : i8
    %code = arith.sitofp %high : i8 to f32
    %factor = arith.extf %scale : bf16 to f32
    %b = arith.mulf %code, %factor : f32
    %d = math.fma %a, %b, %o : f32
    linalg.yield %d : f32
  }
  return
}
