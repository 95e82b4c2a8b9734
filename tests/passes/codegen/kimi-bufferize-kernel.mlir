// RUN: kimi-opt %s --kimi-bufferize-kernel --canonicalize | FileCheck %s

// Buffers are arguments, then results; a size comes from the dims array; the result is written in place.
// CHECK-LABEL: func.func @double(
// CHECK-SAME: %[[BUFFERS:.*]]: !llvm.ptr, %[[DIMS:.*]]: !llvm.ptr, %{{.*}}: i64)
// CHECK: llvm.getelementptr %[[DIMS]][1]
// CHECK-NOT: memref.alloc
// CHECK-NOT: memref.copy
// CHECK: linalg.generic
// CHECK-NOT: memref.copy
// CHECK: return
kernel.func @double(%x: tensor<?x8xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
    -> (tensor<?x8xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %init = tensor.empty(%n) : tensor<?x8xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(t, c) -> (t, c)>, affine_map<(t, c) -> (t, c)>],
                       iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<?x8xf32>) outs(%init : tensor<?x8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %a : f32
    linalg.yield %s : f32
  } -> tensor<?x8xf32>
  kernel.return %y : tensor<?x8xf32>
}
