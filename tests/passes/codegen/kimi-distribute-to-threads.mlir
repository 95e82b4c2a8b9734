// RUN: kimi-opt %s --pass-pipeline='builtin.module(func.func(kimi-distribute-to-threads,canonicalize,cse))' --split-input-file | FileCheck %s

// All threads over all elements; a barrier before and after.
// CHECK-LABEL: func.func @elementwise
// CHECK: %[[T:.*]] = gpu.thread_id  x
// CHECK: gpu.barrier
// CHECK: scf.for %[[I:.*]] = %[[T]] to %c512 step %c256
// CHECK: memref.load
// CHECK: arith.negf
// CHECK: memref.store
// CHECK: gpu.barrier
func.func @elementwise(%x: memref<4x128xf32>, %y: memref<4x128xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
                  iterator_types = ["parallel", "parallel"]} ins(%x : memref<4x128xf32>) outs(%y : memref<4x128xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.negf %in : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

// A product with rows of weights contiguous along the sum: a warp per column, eight rows share a weight, lanes along K
// in chunks of 16 bytes, and a butterfly of five shuffles for each row. Two barriers around each operation; those between two are merged.
// CHECK-LABEL: func.func @product
// CHECK: gpu.barrier
// CHECK: scf.for
// CHECK: gpu.barrier
// CHECK-NOT: gpu.barrier
// CHECK: scf.for %{{.*}} = %{{.*}} to %c32 step %c8
// CHECK: scf.for %{{.*}} = %{{.*}} to %c512 step %c128 iter_args
// CHECK: vector.load {{.*}} : memref<8x512xf32>, vector<4xf32>
// CHECK-COUNT-32: math.fma
// CHECK-COUNT-40: gpu.shuffle  xor
// CHECK: scf.if
// CHECK-COUNT-8: memref.store
// CHECK: gpu.barrier
// CHECK-NOT: gpu.barrier
func.func @product(%x: memref<8x512xf32>, %w: memref<32x512xf32>, %y: memref<8x32xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<8x32xf32>)
  linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (j, k)>,
                                   affine_map<(i, j, k) -> (i, j)>],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<8x512xf32>, memref<32x512xf32>) outs(%y : memref<8x32xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %0 = math.fma %a, %b, %out : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

// One sum: all threads, then the warps' sums through shared memory, in their order.
// CHECK-LABEL: func.func @row_sum
// CHECK: scf.for %{{.*}} = %{{.*}} to %c7168 step %c1024 iter_args
// CHECK-COUNT-5: gpu.shuffle  xor
// CHECK: gpu.barrier
// CHECK: memref.store
// CHECK: gpu.barrier
// CHECK-COUNT-8: memref.load
func.func @row_sum(%x: memref<7168xf32>, %y: memref<f32>) {
  linalg.generic {indexing_maps = [affine_map<(k) -> (k)>, affine_map<(k) -> ()>], iterator_types = ["reduction"]}
      ins(%x : memref<7168xf32>) outs(%y : memref<f32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = arith.addf %a, %out : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

// Not contiguous along the sum: a thread per output element runs it alone.
// CHECK-LABEL: func.func @columns
// CHECK: %[[T:.*]] = gpu.thread_id  x
// CHECK: scf.for %{{.*}} = %[[T]] to %c128 step %c256
// CHECK: scf.for %{{.*}} = %c0 to %c64 step %c1 iter_args
// CHECK-NOT: gpu.shuffle
func.func @columns(%x: memref<64x128xf32>, %y: memref<128xf32>) {
  linalg.generic {indexing_maps = [affine_map<(j, k) -> (k, j)>, affine_map<(j, k) -> (j)>],
                  iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<64x128xf32>) outs(%y : memref<128xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = arith.addf %a, %out : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

// Scalar writes are the first thread's, and loops of them as a whole.
// CHECK-LABEL: func.func @scalar
// CHECK: gpu.barrier
// CHECK-NEXT: %[[FIRST:.*]] = arith.cmpi eq
// CHECK-NEXT: scf.if %[[FIRST]] {
// CHECK-NEXT: scf.for
// CHECK-NEXT: memref.store
// CHECK: gpu.barrier
func.func @scalar(%y: memref<8xi32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %one = arith.constant 1 : i32
  scf.for %i = %c0 to %n step %c1 {
    memref.store %one, %y[%i] : memref<8xi32>
  }
  return
}
