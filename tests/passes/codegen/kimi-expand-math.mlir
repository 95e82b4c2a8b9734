// RUN: kimi-opt %s --pass-pipeline='builtin.module(func.func(kimi-expand-math))' | FileCheck %s

// A kernel calls no library: the exponential is a polynomial, a rounding to bf16 is integer arithmetic.
// CHECK-LABEL: func.func @math
// CHECK-NOT: math.exp
// CHECK-NOT: arith.truncf
// CHECK: math.fma
// CHECK: arith.trunci {{.*}} : vector<16xi32> to vector<16xi16>
// CHECK: arith.bitcast {{.*}} : vector<16xi16> to vector<16xbf16>
func.func @math(%x: vector<16xf32>) -> vector<16xbf16> {
  %e = math.exp %x : vector<16xf32>
  %r = arith.truncf %e : vector<16xf32> to vector<16xbf16>
  return %r : vector<16xbf16>
}

// e4m3 codes become f16 bits of a value 2^8 times smaller; the factor goes to the scale, which an inner loop does not touch.
// CHECK-LABEL: func.func @float8
// CHECK-DAG: %[[MASK:.*]] = arith.constant dense<-16385> : vector<16xi16>
// CHECK-DAG: %[[FACTOR:.*]] = arith.constant dense<2.560000e+02> : vector<16xf32>
// CHECK: arith.bitcast %{{.*}} : vector<16xf8E4M3FN> to vector<16xi8>
// CHECK: arith.extsi
// CHECK: arith.shli
// CHECK: arith.andi %{{.*}}, %[[MASK]]
// CHECK: %[[HALF:.*]] = arith.extf %{{.*}} : vector<16xf16> to vector<16xf32>
// CHECK: %[[SCALE:.*]] = arith.mulf %{{.*}}, %[[FACTOR]]
// CHECK: arith.mulf %[[HALF]], %[[SCALE]]
func.func @float8(%c: vector<16xf8E4M3FN>, %s: vector<16xf32>) -> vector<16xf32> {
  %v = arith.extf %c : vector<16xf8E4M3FN> to vector<16xf32>
  %w = arith.mulf %v, %s : vector<16xf32>
  return %w : vector<16xf32>
}
