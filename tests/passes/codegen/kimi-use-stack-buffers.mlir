// RUN: kimi-opt %s --pass-pipeline='builtin.module(func.func(kimi-use-stack-buffers))' --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @bounded
// CHECK: memref.alloca() {alignment = 64 : i64} : memref<256xi8>
// CHECK: memref.view
// CHECK-NOT: memref.alloc(
func.func @bounded(%n: index) {
  %size = affine.min affine_map<(d0) -> (d0, 64)>(%n)
  %a = memref.alloc(%size) : memref<?xf32>
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  memref.store %zero, %a[%c0] : memref<?xf32>
  return
}

// -----

func.func @unbounded(%n: index) {
  // expected-error @+1 {{kernel 'unbounded' needs a local buffer 'memref<?xf32>' of unbounded size}}
  %a = memref.alloc(%n) : memref<?xf32>
  return
}

// -----

// expected-error @+1 {{kernel 'huge' needs 8388608 bytes of local buffers but a task has 4194304: choose a smaller tile}}
func.func @huge() {
  %a = memref.alloc() : memref<2097152xf32>
  return
}
