// RUN: kimi-opt %s --pass-pipeline='builtin.module(func.func(kimi-use-shared-memory{shared-bytes=4096}))' --split-input-file --verify-diagnostics | FileCheck %s

// Buffers of regions that follow one another share their bytes; those of a region around them keep their own.
// CHECK-LABEL: func.func @scopes
// CHECK-SAME: kernel.shared_bytes = 640
// CHECK: %[[S:.*]] = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>>
// CHECK: memref.view %[[S]][%c0{{.*}}][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<8xf32, #gpu.address_space<workgroup>>
// CHECK: memref.memory_space_cast
// CHECK: scf.for
// CHECK: arith.constant 128 : index
// CHECK: memref.view
// CHECK: scf.for
// CHECK: arith.constant 128 : index
// CHECK: memref.view
// CHECK-NOT: memref.alloc
func.func @scopes(%n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %outer = memref.alloc() : memref<8xf32>
  memref.store %zero, %outer[%c0] : memref<8xf32>
  scf.for %i = %c0 to %n step %c1 {
    %size = affine.min affine_map<(d0) -> (d0, 64)>(%n)
    %a = memref.alloc(%size) : memref<?xf32>
    memref.store %zero, %a[%c0] : memref<?xf32>
  }
  scf.for %i = %c0 to %n step %c1 {
    %b = memref.alloc() : memref<128xf32>
    memref.store %zero, %b[%c0] : memref<128xf32>
  }
  return
}

// -----

// What is too large for shared memory has a part for each block in a workspace.
// CHECK-LABEL: func.func @workspace
// CHECK-SAME: (%{{.*}}: memref<?xi8>, %[[W:.*]]: memref<?xi8>)
// CHECK-SAME: kernel.shared_bytes = 0 : i64, kernel.workspace_bytes = 8192 : i64
// CHECK: %[[BLOCK:.*]] = gpu.block_id  x
// CHECK: %[[BASE:.*]] = arith.muli %[[BLOCK]], %c8192
// CHECK: memref.view %[[W]][%{{.*}}][] : memref<?xi8> to memref<2048xf32>
func.func @workspace(%x: memref<?xi8>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %a = memref.alloc() : memref<2048xf32>
  memref.store %zero, %a[%c0] : memref<2048xf32>
  return
}

// -----

func.func @unbounded(%n: index) {
  // expected-error @+1 {{kernel 'unbounded' needs a local buffer 'memref<?xf32>' of unbounded size}}
  %a = memref.alloc(%n) : memref<?xf32>
  return
}

// -----

func.func @handed_out(%c: i1) {
  %0 = scf.if %c -> memref<8xf32> {
    // expected-error @+1 {{kernel 'handed_out' hands a local buffer 'memref<8xf32>' out of its region}}
    %a = memref.alloc() : memref<8xf32>
    scf.yield %a : memref<8xf32>
  } else {
    %b = memref.alloc() : memref<8xf32>
    scf.yield %b : memref<8xf32>
  }
  return
}

// -----

// expected-error @+1 {{kernel 'huge' needs 6144 bytes of shared memory but a block has 4096: choose a smaller tile}}
func.func @huge() {
  %a = memref.alloc() : memref<512xf32>
  %b = memref.alloc() : memref<512xf32>
  %c = memref.alloc() : memref<512xf32>
  return
}
