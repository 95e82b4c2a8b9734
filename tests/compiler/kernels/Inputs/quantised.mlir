// Products of quantised weights, and quantised activations: whole panels and odd rows, whole blocks and parts of them.
kimi.weight @every : tensor<32x8xf8E4M3FN> from "every" quantised <codes 128 x 128>
kimi.weight @every.scales : tensor<1x1xf32> from "every.scales" quantised <scales 128 x 128>
func.func private @every_code(%x: tensor<?x8xf32>) -> tensor<?x32xf32> {
  %c = kimi.load_weight @every : tensor<32x8xf8E4M3FN>
  %s = kimi.load_weight @every.scales : tensor<1x1xf32>
  %w = kimi.dequantise %c, %s blocks 128 x 128 : tensor<32x8xf8E4M3FN>, tensor<1x1xf32> -> tensor<32x8xf32>
  %y = kimi.linear %x, %w : tensor<?x8xf32>, tensor<32x8xf32> -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

kimi.weight @panels : tensor<160x320xf8E4M3FN> from "panels" quantised <codes 128 x 128>
kimi.weight @panels.scales : tensor<2x3xf32> from "panels.scales" quantised <scales 128 x 128>
func.func private @panels_of_codes(%x: tensor<?x320xbf16>) -> tensor<?x160xf32> {
  %c = kimi.load_weight @panels : tensor<160x320xf8E4M3FN>
  %s = kimi.load_weight @panels.scales : tensor<2x3xf32>
  %w = kimi.dequantise %c, %s blocks 128 x 128 : tensor<160x320xf8E4M3FN>, tensor<2x3xf32> -> tensor<160x320xf32>
  %y = kimi.linear %x, %w : tensor<?x320xbf16>, tensor<160x320xf32> -> tensor<?x160xf32>
  return %y : tensor<?x160xf32>
}

kimi.weight @odd : tensor<140x200xf8E4M3FN> from "odd" quantised <codes 128 x 128>
kimi.weight @odd.scales : tensor<2x2xf32> from "odd.scales" quantised <scales 128 x 128>
func.func private @odd_rows_of_codes(%x: tensor<?x200xbf16>) -> tensor<?x140xf32> {
  %c = kimi.load_weight @odd : tensor<140x200xf8E4M3FN>
  %s = kimi.load_weight @odd.scales : tensor<2x2xf32>
  %w = kimi.dequantise %c, %s blocks 128 x 128 : tensor<140x200xf8E4M3FN>, tensor<2x2xf32> -> tensor<140x200xf32>
  %y = kimi.linear %x, %w : tensor<?x200xbf16>, tensor<140x200xf32> -> tensor<?x140xf32>
  return %y : tensor<?x140xf32>
}

kimi.weight @nibbles : tensor<32x96xi4> from "nibbles" quantised <codes 1 x 32>
kimi.weight @nibbles.scales : tensor<32x3xbf16> from "nibbles.scales" quantised <scales 1 x 32>
func.func private @panels_of_nibbles(%x: tensor<?x96xbf16>) -> tensor<?x32xf32> {
  %c = kimi.load_weight @nibbles : tensor<32x96xi4>
  %s = kimi.load_weight @nibbles.scales : tensor<32x3xbf16>
  %w = kimi.dequantise %c, %s blocks 1 x 32 : tensor<32x96xi4>, tensor<32x3xbf16> -> tensor<32x96xf32>
  %y = kimi.linear %x, %w : tensor<?x96xbf16>, tensor<32x96xf32> -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

kimi.weight @few : tensor<7x64xi4> from "few" quantised <codes 1 x 32>
kimi.weight @few.scales : tensor<7x2xbf16> from "few.scales" quantised <scales 1 x 32>
func.func private @odd_rows_of_nibbles(%x: tensor<?x64xbf16>) -> tensor<?x7xf32> {
  %c = kimi.load_weight @few : tensor<7x64xi4>
  %s = kimi.load_weight @few.scales : tensor<7x2xbf16>
  %w = kimi.dequantise %c, %s blocks 1 x 32 : tensor<7x64xi4>, tensor<7x2xbf16> -> tensor<7x64xf32>
  %y = kimi.linear %x, %w : tensor<?x64xbf16>, tensor<7x64xf32> -> tensor<?x7xf32>
  return %y : tensor<?x7xf32>
}

// Codes on both sides, and rows that are gathered as codes.
kimi.weight @experts : tensor<3x48x320xf8E4M3FN> from "e.{expert}" experts 3 quantised <codes 128 x 128>
kimi.weight @experts.scales : tensor<3x1x3xf32> from "e.{expert}.scales" experts 3 quantised <scales 128 x 128>
func.func private @codes_on_both_sides(%x: tensor<?x320xf32>, %ids: tensor<?x2xi32>) -> (tensor<?x160xf32>, tensor<?x48xf32>, tensor<?x2xi32>) {
  %q, %qs = kimi.quantise %x blocks 128 : tensor<?x320xf32> -> tensor<?x320xf8E4M3FN>, tensor<?x3xf32>
  %v = kimi.dequantise %q, %qs blocks 1 x 128 : tensor<?x320xf8E4M3FN>, tensor<?x3xf32> -> tensor<?x320xf32>
  %c = kimi.load_weight @panels : tensor<160x320xf8E4M3FN>
  %s = kimi.load_weight @panels.scales : tensor<2x3xf32>
  %w = kimi.dequantise %c, %s blocks 128 x 128 : tensor<160x320xf8E4M3FN>, tensor<2x3xf32> -> tensor<160x320xf32>
  %y = kimi.linear %v, %w : tensor<?x320xf32>, tensor<160x320xf32> -> tensor<?x160xf32>
  %rows, %slots, %offsets = kimi.dispatch %ids : tensor<?x2xi32> -> tensor<?xi32>, tensor<?x2xi32>, tensor<4xi32>
  %e = kimi.load_weight @experts : tensor<3x48x320xf8E4M3FN>
  %es = kimi.load_weight @experts.scales : tensor<3x1x3xf32>
  %ew = kimi.dequantise %e, %es blocks 128 x 128 : tensor<3x48x320xf8E4M3FN>, tensor<3x1x3xf32> -> tensor<3x48x320xf32>
  %z = kimi.expert_linear %v rows %rows offsets %offsets, %ew : tensor<?x320xf32>, tensor<4xi32>, tensor<3x48x320xf32>, tensor<?xi32> -> tensor<?x48xf32>
  return %y, %z, %slots : tensor<?x160xf32>, tensor<?x48xf32>, tensor<?x2xi32>
}

kimi.weight @ordered : tensor<3x80x320xf8E4M3FN> from "o.{expert}" experts 3 quantised <codes 128 x 128>
kimi.weight @ordered.scales : tensor<3x1x3xf32> from "o.{expert}.scales" experts 3 quantised <scales 128 x 128>
func.func private @codes_in_expert_order(%x: tensor<?x320xf32>, %offsets: tensor<4xi32>) -> tensor<?x80xf32> {
  %q, %qs = kimi.quantise %x blocks 128 : tensor<?x320xf32> -> tensor<?x320xf8E4M3FN>, tensor<?x3xf32>
  %v = kimi.dequantise %q, %qs blocks 1 x 128 : tensor<?x320xf8E4M3FN>, tensor<?x3xf32> -> tensor<?x320xf32>
  %e = kimi.load_weight @ordered : tensor<3x80x320xf8E4M3FN>
  %es = kimi.load_weight @ordered.scales : tensor<3x1x3xf32>
  %ew = kimi.dequantise %e, %es blocks 128 x 128 : tensor<3x80x320xf8E4M3FN>, tensor<3x1x3xf32> -> tensor<3x80x320xf32>
  %z = kimi.expert_linear %v offsets %offsets, %ew : tensor<?x320xf32>, tensor<4xi32>, tensor<3x80x320xf32> -> tensor<?x80xf32>
  return %z : tensor<?x80xf32>
}
