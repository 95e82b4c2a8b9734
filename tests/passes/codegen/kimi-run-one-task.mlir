// RUN: kimi-opt %s --pass-pipeline='builtin.module(func.func(kimi-run-one-task))' | FileCheck %s

// The last dimension runs fastest: task = row * columns + column.
// CHECK-LABEL: func.func @grid
// CHECK-DAG: %[[TASK:.*]] = arith.index_cast %arg2
// CHECK: %[[COLUMN:.*]] = arith.remui %[[TASK]], %[[COLUMNS:.*]] : index
// CHECK: %[[ROW:.*]] = arith.divui %[[TASK]], %[[COLUMNS]] : index
// CHECK-NOT: scf.forall
// CHECK: memref.store
func.func @grid(%buffers: memref<?x?xf32>, %n: index, %task: i64) {
  %zero = arith.constant 0.0 : f32
  scf.forall (%i, %j) = (0, 0) to (%n, 64) step (8, 16) {
    memref.store %zero, %buffers[%i, %j] : memref<?x?xf32>
  }
  return
}
