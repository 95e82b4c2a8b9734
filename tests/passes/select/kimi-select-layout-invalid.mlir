// RUN: kimi-opt %s --kimi-fuse --kimi-select-layout --verify-diagnostics

// One kernel serves both products, but the two weights lie differently in the checkpoint.
module attributes {kimi.weights = "reference"} {
  kimi.weight @a : tensor<3x4x16xbf16> from "a" rows <groups = 3, of = 8, 0 to 4>
  // expected-error @below {{'b' and 'a' lie differently in the checkpoint (rows 4 on of every 8, and 0 on of every 8) but 'absorb_query_3x4x16' reads both: use --weights=packed}}
  kimi.weight @b : tensor<3x4x16xbf16> from "b" rows <groups = 3, of = 8, 4 to 8>
  func.func private @f(%q: tensor<?x3x4xf32>) -> (tensor<?x3x16xf32>, tensor<?x3x16xf32>) {
    %a = kimi.load_weight @a : tensor<3x4x16xbf16>
    %b = kimi.load_weight @b : tensor<3x4x16xbf16>
    %x = kimi.absorb_query %q, %a : tensor<?x3x4xf32>, tensor<3x4x16xbf16> -> tensor<?x3x16xf32>
    %y = kimi.absorb_query %q, %b : tensor<?x3x4xf32>, tensor<3x4x16xbf16> -> tensor<?x3x16xf32>
    return %x, %y : tensor<?x3x16xf32>, tensor<?x3x16xf32>
  }
}
