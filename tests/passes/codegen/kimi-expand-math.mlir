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
