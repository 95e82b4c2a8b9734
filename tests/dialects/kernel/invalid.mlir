// Every message of a verifier: one function (or kernel) OP_cN per constraint (CN) of the operation's description.
// RUN: kimi-opt %s -split-input-file -verify-diagnostics

// expected-error @+1 {{argument 0 has 1 unknown sizes but 0 kernel.dims}}
kernel.func @func_dims(%x: tensor<?x8xf32>) {
  kernel.return
}

// -----

// expected-error @+1 {{result 0 has 1 unknown sizes but 0 kernel.dims}}
kernel.func @func_result_dims(%x: tensor<8xf32>) -> tensor<?x8xf32> {
  kernel.return
}

// -----

// expected-error @+1 {{argument 0 has type 'index' but kernels take and return ranked tensors}}
kernel.func @func_type(%x: index) {
  kernel.return
}

// -----

kernel.func @return_type(%x: tensor<8xf32>) -> tensor<8xbf16> {
  // expected-error @+1 {{returns 'tensor<8xf32>' but 'return_type' declares 'tensor<8xbf16>'}}
  kernel.return %x : tensor<8xf32>
}

// -----

func.func @call_c1(%x: tensor<8xf32>) {
  // expected-error @+1 {{calls 'kernel' which is no kernel.func}}
  %0 = kernel.call @kernel(%x) : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

kernel.func private @kernel(tensor<8xf32>) -> tensor<8xf32>
func.func @call_c2_count(%x: tensor<8xf32>) {
  // expected-error @+1 {{passes 2 operands but 'kernel' takes 1}}
  %0 = kernel.call @kernel(%x, %x) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

kernel.func private @kernel(tensor<8xf32>) -> tensor<8xf32>
func.func @call_c2(%x: tensor<4xf32>) {
  // expected-error @+1 {{operand 0 is 'tensor<4xf32>' but 'kernel' takes 'tensor<8xf32>'}}
  %0 = kernel.call @kernel(%x) : (tensor<4xf32>) -> tensor<8xf32>
  return
}

// -----

kernel.func private @kernel(tensor<8xf32>) -> tensor<8xf32>
func.func @call_c2_result(%x: tensor<8xf32>) {
  // expected-error @+1 {{returns 'tensor<4xf32>' but 'kernel' returns 'tensor<8xf32>'}}
  %0 = kernel.call @kernel(%x) : (tensor<8xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @grouped_matmul_c1(%x: tensor<?x64xbf16>, %o: tensor<5xi32>, %w: tensor<4x48x32xbf16>, %init: tensor<?x48xf32>) {
  %c0 = arith.constant 0 : index
  // expected-error @+1 {{K of x is 64 but K of weight is 32}}
  %0 = kernel.grouped_matmul %x from %c0 offsets %o, %w into %init : tensor<?x64xbf16>, tensor<5xi32>, tensor<4x48x32xbf16>, tensor<?x48xf32>
  return
}

// -----

func.func @grouped_matmul_c2(%x: tensor<?x64xbf16>, %o: tensor<4xi32>, %w: tensor<4x48x64xbf16>, %init: tensor<?x48xf32>) {
  %c0 = arith.constant 0 : index
  // expected-error @+1 {{the size of offsets is 4 but groups + 1 is 5}}
  %0 = kernel.grouped_matmul %x from %c0 offsets %o, %w into %init : tensor<?x64xbf16>, tensor<4xi32>, tensor<4x48x64xbf16>, tensor<?x48xf32>
  return
}

// -----

func.func @grouped_matmul_c3(%x: tensor<?x64xbf16>, %o: tensor<5xi32>, %w: tensor<4x48x64xbf16>, %init: tensor<?x3x16xf32>) {
  %c0 = arith.constant 0 : index
  // expected-error @+1 {{init is 'tensor<?x3x16xf32>' but needs rank 2 for weight 'tensor<4x48x64xbf16>'}}
  %0 = kernel.grouped_matmul %x from %c0 offsets %o, %w into %init : tensor<?x64xbf16>, tensor<5xi32>, tensor<4x48x64xbf16>, tensor<?x3x16xf32>
  return
}

// -----

func.func @paged_attention_c1(%q: tensor<?x4x32xf32>, %r: tensor<?x4x16xf32>, %c: memref<?x64x40xbf16>, %p: tensor<?xi32>, %t: tensor<?x?xi32>) {
  // expected-error @+1 {{the cache row is 40 but latent + rope is 48}}
  %0 = kernel.paged_attention %q, %r, %c, %p, %p, %t scale 1.0 : tensor<?x4x32xf32>, tensor<?x4x16xf32>, memref<?x64x40xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32> -> tensor<?x4x32xf32>
  return
}

// -----

func.func @paged_attention_c2(%q: tensor<?x4x32xf32>, %r: tensor<?x8x16xf32>, %c: memref<?x64x48xbf16>, %p: tensor<?xi32>, %t: tensor<?x?xi32>) {
  // expected-error @+1 {{heads of query is 4 but heads of query_rope is 8}}
  %0 = kernel.paged_attention %q, %r, %c, %p, %p, %t scale 1.0 : tensor<?x4x32xf32>, tensor<?x8x16xf32>, memref<?x64x48xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32> -> tensor<?x4x32xf32>
  return
}

// -----

func.func @paged_attention_expanded_c1(%q: tensor<?x4x24xf32>, %r: tensor<?x4x16xf32>, %wk: tensor<4x24x32xbf16>, %c: memref<?x64x40xbf16>, %p: tensor<?xi32>, %t: tensor<?x?xi32>) {
  // expected-error @+1 {{the cache row is 40 but latent + rope is 48}}
  %0 = kernel.paged_attention_expanded %q, %r, %wk, %wk, %c, %p, %p, %t scale 1.0 : tensor<?x4x24xf32>, tensor<?x4x16xf32>, tensor<4x24x32xbf16>, tensor<4x24x32xbf16>, memref<?x64x40xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32> -> tensor<?x4x24xf32>
  return
}

// -----

func.func @paged_attention_expanded_c2(%q: tensor<?x4x24xf32>, %r: tensor<?x4x16xf32>, %wk: tensor<8x24x32xbf16>, %c: memref<?x64x48xbf16>, %p: tensor<?xi32>, %t: tensor<?x?xi32>) {
  // expected-error @+1 {{heads of query is 4 but heads of key_weight is 8}}
  %0 = kernel.paged_attention_expanded %q, %r, %wk, %wk, %c, %p, %p, %t scale 1.0 : tensor<?x4x24xf32>, tensor<?x4x16xf32>, tensor<8x24x32xbf16>, tensor<8x24x32xbf16>, memref<?x64x48xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32> -> tensor<?x4x24xf32>
  return
}

// -----

func.func @paged_attention_expanded_c2_size(%q: tensor<?x4x24xf32>, %r: tensor<?x4x16xf32>, %wk: tensor<4x16x32xbf16>, %c: memref<?x64x48xbf16>, %p: tensor<?xi32>, %t: tensor<?x?xi32>) {
  // expected-error @+1 {{the query's size is 24 but the key's size is 16}}
  %0 = kernel.paged_attention_expanded %q, %r, %wk, %wk, %c, %p, %p, %t scale 1.0 : tensor<?x4x24xf32>, tensor<?x4x16xf32>, tensor<4x16x32xbf16>, tensor<4x16x32xbf16>, memref<?x64x48xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32> -> tensor<?x4x24xf32>
  return
}

// -----

func.func @paged_scatter_c1(%s: tensor<?xi32>, %c: memref<?x64x48xbf16>, %l: tensor<?x32xbf16>, %r: tensor<?x8xbf16>) {
  // expected-error @+1 {{the cache row is 48 but the sum of the parts' columns is 40}}
  kernel.paged_scatter %s, %c, %l, %r : tensor<?xi32>, memref<?x64x48xbf16>, tensor<?x32xbf16>, tensor<?x8xbf16>
  return
}

// -----

func.func @paged_scatter_c2(%s: tensor<?xi32>, %c: memref<?x64x48xbf16>, %l: tensor<?x32xf32>, %r: tensor<?x16xbf16>) {
  // expected-error @+1 {{writes 'f32' into a cache of 'bf16': round it first}}
  kernel.paged_scatter %s, %c, %l, %r : tensor<?xi32>, memref<?x64x48xbf16>, tensor<?x32xf32>, tensor<?x16xbf16>
  return
}

// -----

func.func @group_top_k_c1(%s: tensor<?x16xf32>, %init: tensor<?x17xi32>) {
  // expected-error @+1 {{asks for the 17 highest of 16 scores}}
  %0 = kernel.group_top_k %s groups 1 keep 1 into %init : tensor<?x16xf32>, tensor<?x17xi32>
  return
}

// -----

func.func @group_top_k_c2(%s: tensor<?x16xf32>, %init: tensor<?x4xi32>) {
  // expected-error @+1 {{splits 16 scores into 3 groups of unequal size}}
  %0 = kernel.group_top_k %s groups 3 keep 1 into %init : tensor<?x16xf32>, tensor<?x4xi32>
  return
}

// -----

func.func @group_top_k_c3(%s: tensor<?x16xf32>, %init: tensor<?x4xi32>) {
  // expected-error @+1 {{keeps 5 of 4 groups}}
  %0 = kernel.group_top_k %s groups 4 keep 5 into %init : tensor<?x16xf32>, tensor<?x4xi32>
  return
}

// -----

func.func @sort_by_group_c1(%i: tensor<?x4xi32>) {
  // expected-error @+1 {{offsets has 1 elements; at least 2 are needed}}
  %r, %s, %o = kernel.sort_by_group %i : tensor<?x4xi32> -> tensor<?xi32>, tensor<?x4xi32>, tensor<1xi32>
  return
}

// -----

func.func @dequantise_c1(%c: tensor<32x64xf8E4M3FN>, %s: tensor<1x1xf32>) {
  // expected-error @+1 {{gives 'tensor<32x64xbf16>' but computes in f32}}
  %0 = kernel.dequantise %c, %s blocks 128 x 128 : tensor<32x64xf8E4M3FN>, tensor<1x1xf32> -> tensor<32x64xbf16>
  return
}

// -----

func.func @dequantise_c2(%c: tensor<32x64xi8>, %s: tensor<32x2xbf16>) {
  // expected-error @+1 {{gives 'tensor<32x64xf32>' but codes are 'tensor<32x64xi8>'}}
  %0 = kernel.dequantise %c, %s blocks 1 x 32 : tensor<32x64xi8>, tensor<32x2xbf16> -> tensor<32x64xf32>
  return
}

// -----

func.func @dequantise_c2_rank(%c: tensor<32xf8E4M3FN>, %s: tensor<1xf32>) {
  // expected-error @+1 {{gives 'tensor<32xf32>' in blocks of 128 x 128: it needs rows, columns and positive blocks}}
  %0 = kernel.dequantise %c, %s blocks 128 x 128 : tensor<32xf8E4M3FN>, tensor<1xf32> -> tensor<32xf32>
  return
}

// -----

func.func @dequantise_c3(%c: tensor<2x64x16xi8>, %s: tensor<32x4xbf16>) {
  // expected-error @+1 {{in blocks of 1 x 32 needs scales 'tensor<2x4x16xbf16>' but has 'tensor<32x4xbf16>'}}
  %0 = kernel.dequantise %c, %s blocks 1 x 32 panels : tensor<2x64x16xi8>, tensor<32x4xbf16> -> tensor<2x128x16xf32>
  return
}

// -----

func.func @dequantise_c4(%c: tensor<2x64x16xf8E4M3FN>, %s: tensor<4x1xf32>) {
  // expected-error @+1 {{reads panels of 16 rows in blocks of 8: a panel needs one row of scales}}
  %0 = kernel.dequantise %c, %s blocks 8 x 128 panels : tensor<2x64x16xf8E4M3FN>, tensor<4x1xf32> -> tensor<2x64x16xf32>
  return
}

// -----

// expected-error @+1 {{a tensor map of 2 dimensions has as many box sizes and one stride less, not 1 and 1}}
#tensor_map_c1 = #kernel.tensor_map<argument 0 : bf16, shape [#kernel.extent<one * 64 by 1>, #kernel.extent<tokens * 1 by 1>], strides [128], box [64], swizzle 128>

// -----

// expected-error @+1 {{the shape of a tensor map is made of #kernel.extent, not [64]}}
#tensor_map_c2 = #kernel.tensor_map<argument 0 : bf16, shape [64], strides [], box [64], swizzle 128>

// -----

// expected-error @+1 {{a tensor map swizzles by 0, 32, 64 or 128 bytes, not 48}}
#tensor_map_c3 = #kernel.tensor_map<argument 0 : bf16, shape [#kernel.extent<one * 64 by 1>], strides [], box [64], swizzle 48>

// -----

// expected-error @+1 {{tensor_maps holds #kernel.tensor_map, not [1]}}
#launch_c1 = #kernel.launch<threads = 32, shared_bytes = 0, tensor_maps = [1]>

// -----

// expected-error @+1 {{a matrix product needs four different arguments, not 0, 1, 1 and 3}}
#matrix_product_c1 = #kernel.matrix_product<activations 0 : bf16, weight 1 : bf16, result 1 : f32, workspace 3 bytes 1024, columns 96, depth 256>

// -----

// expected-error @+1 {{a matrix product is of bf16 and bf16, to f32 or bf16, not of 'bf16' and 'f8E4M3FN' to 'f32'}}
#matrix_product_c2 = #kernel.matrix_product<activations 0 : bf16, weight 1 : f8E4M3FN, result 2 : f32, workspace 3 bytes 1024, columns 96, depth 256>

// -----

// expected-error @+1 {{a matrix product has columns, a depth and a workspace, not 96, 0 and 1024}}
#matrix_product_c3 = #kernel.matrix_product<activations 0 : bf16, weight 1 : bf16, result 2 : f32, workspace 3 bytes 1024, columns 96, depth 0>
