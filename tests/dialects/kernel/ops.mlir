// Every operation of the dialect, printed and parsed again without change.
// RUN: kimi-opt %s | kimi-opt | FileCheck %s
// RUN: kimi-opt --mlir-print-op-generic %s | kimi-opt | FileCheck %s

module @kernels {
  kimi.cache @latent : !kimi.cache<48 x bf16> layers 4

  // CHECK: kernel.func @round(%{{.*}}: tensor<?x8xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  // CHECK-SAME: -> (tensor<?x8xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
  // CHECK-SAME: cost = #kernel.cost<bytes = [#kernel.cost_term<tokens * 1 cap 0 each 48>, #kernel.cost_term<one * 1 cap 64 each 2>], flops = []>
  // CHECK-SAME: impl = #kernel.impl<"generated", {tile = [32, 64]}>
  kernel.func @round(%x: tensor<?x8xf32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      -> (tensor<?x8xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]})
      attributes {impl = #kernel.impl<"generated", {tile = [32, 64]}>,
                  cost = #kernel.cost<bytes = [#kernel.cost_term<tokens * 1 cap 0 each 48>, #kernel.cost_term<one * 1 cap 64 each 2>], flops = []>} {
    %y = arith.truncf %x : tensor<?x8xf32> to tensor<?x8xbf16>
    // CHECK: kernel.return %{{.*}} : tensor<?x8xbf16>
    kernel.return %y : tensor<?x8xbf16>
  }

  // CHECK: kernel.func @scatter
  // CHECK-SAME: memref<?x64x48xbf16> {kernel.dims = [#kernel.extent<cache_blocks * 1 by 1>]}
  kernel.func @scatter(%slots: tensor<?xi32> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]},
                       %cache: memref<?x64x48xbf16> {kernel.dims = [#kernel.extent<cache_blocks * 1 by 1>]},
                       %latent: tensor<?x32xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]},
                       %rope: tensor<?x16xbf16> {kernel.dims = [#kernel.extent<tokens * 1 by 1>]}) {
    // CHECK: kernel.paged_scatter %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : tensor<?xi32>, memref<?x64x48xbf16>, tensor<?x32xbf16>, tensor<?x16xbf16>
    kernel.paged_scatter %slots, %cache, %latent, %rope
        : tensor<?xi32>, memref<?x64x48xbf16>, tensor<?x32xbf16>, tensor<?x16xbf16>
    // CHECK-NEXT: kernel.return
    kernel.return
  }

  // CHECK: func.func @calls
  func.func @calls(%x: tensor<?x8xf32>, %slots: tensor<?xi32>, %latent: tensor<?x32xbf16>, %rope: tensor<?x16xbf16>,
                   %layer: index) -> tensor<?x8xbf16> {
    // CHECK: kernel.call @round(%{{.*}}) : (tensor<?x8xf32>) -> tensor<?x8xbf16>
    %y = kernel.call @round(%x) : (tensor<?x8xf32>) -> tensor<?x8xbf16>
    %cache = kimi.load_cache @latent[%layer] : <48 x bf16>
    // CHECK: kernel.call @scatter(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) : (tensor<?xi32>, !kimi.cache<48 x bf16>, tensor<?x32xbf16>, tensor<?x16xbf16>) -> ()
    kernel.call @scatter(%slots, %cache, %latent, %rope)
        : (tensor<?xi32>, !kimi.cache<48 x bf16>, tensor<?x32xbf16>, tensor<?x16xbf16>) -> ()
    return %y : tensor<?x8xbf16>
  }

  // CHECK: func.func @structured
  func.func @structured(%x: tensor<?x64xbf16>, %rows: tensor<?xi32>, %offsets: tensor<5xi32>,
                        %w: tensor<4x48x64xbf16>, %p: tensor<4x3x64x16xbf16>, %init: tensor<?x48xf32>,
                        %panels: tensor<?x3x16xf32>, %q: tensor<?x4x32xf32>, %q3: tensor<?x4x24xf32>,
                        %r: tensor<?x4x16xf32>, %wk: tensor<4x24x32xbf16>, %cache: memref<?x64x48xbf16>,
                        %pos: tensor<?xi32>, %tables: tensor<?x?xi32>, %s: tensor<?x16xf32>,
                        %choices: tensor<?x4xi32>) {
    %c0 = arith.constant 0 : index
    // CHECK: kernel.grouped_matmul %{{.*}} rows %{{.*}} from %{{.*}} offsets %{{.*}}, %{{.*}} into %{{.*}} : tensor<?x64xbf16>, tensor<5xi32>, tensor<4x48x64xbf16>, tensor<?x48xf32>, tensor<?xi32>
    %0 = kernel.grouped_matmul %x rows %rows from %c0 offsets %offsets, %w into %init
        : tensor<?x64xbf16>, tensor<5xi32>, tensor<4x48x64xbf16>, tensor<?x48xf32>, tensor<?xi32>
    // CHECK: kernel.grouped_matmul %{{.*}} from %{{.*}} offsets %{{.*}}, %{{.*}} into %{{.*}} : tensor<?x64xbf16>, tensor<5xi32>, tensor<4x3x64x16xbf16>, tensor<?x3x16xf32>
    %1 = kernel.grouped_matmul %x from %c0 offsets %offsets, %p into %panels
        : tensor<?x64xbf16>, tensor<5xi32>, tensor<4x3x64x16xbf16>, tensor<?x3x16xf32>
    // CHECK: kernel.paged_attention {{.*}} scale 1.250000e-01 :
    %2 = kernel.paged_attention %q, %r, %cache, %pos, %pos, %tables scale 1.250000e-01
        : tensor<?x4x32xf32>, tensor<?x4x16xf32>, memref<?x64x48xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
          -> tensor<?x4x32xf32>
    // CHECK: kernel.paged_attention_expanded {{.*}} scale 1.250000e-01 :
    %3 = kernel.paged_attention_expanded %q3, %r, %wk, %wk, %cache, %pos, %pos, %tables scale 1.250000e-01
        : tensor<?x4x24xf32>, tensor<?x4x16xf32>, tensor<4x24x32xbf16>, tensor<4x24x32xbf16>, memref<?x64x48xbf16>,
          tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32> -> tensor<?x4x24xf32>
    // CHECK: kernel.group_top_k %{{.*}} groups 4 keep 2 into %{{.*}} : tensor<?x16xf32>, tensor<?x4xi32>
    %ids = kernel.group_top_k %s groups 4 keep 2 into %choices : tensor<?x16xf32>, tensor<?x4xi32>
    // CHECK: kernel.sort_by_group %{{.*}} : tensor<?x4xi32> -> tensor<?xi32>, tensor<?x4xi32>, tensor<17xi32>
    %4, %5, %6 = kernel.sort_by_group %ids : tensor<?x4xi32> -> tensor<?xi32>, tensor<?x4xi32>, tensor<17xi32>
    return
  }

  // CHECK: func.func @dequantise
  func.func @dequantise(%c: tensor<?x36x200x16xf8E4M3FN>, %s: tensor<?x5x2xf32>, %n: tensor<32x64xi8>, %g: tensor<32x4xbf16>) {
    // CHECK: kernel.dequantise %{{.*}}, %{{.*}} blocks 128 x 128 panels : tensor<?x36x200x16xf8E4M3FN>, tensor<?x5x2xf32> -> tensor<?x36x200x16xf32>
    %0 = kernel.dequantise %c, %s blocks 128 x 128 panels : tensor<?x36x200x16xf8E4M3FN>, tensor<?x5x2xf32> -> tensor<?x36x200x16xf32>
    // CHECK: kernel.dequantise %{{.*}}, %{{.*}} blocks 1 x 32 : tensor<32x64xi8>, tensor<32x4xbf16> -> tensor<32x128xf32>
    %1 = kernel.dequantise %n, %g blocks 1 x 32 : tensor<32x64xi8>, tensor<32x4xbf16> -> tensor<32x128xf32>
    return
  }

  // CHECK: func.func private @launch() attributes {kernel.launch = #kernel.launch<threads = 384, shared_bytes = 4096, cluster = 2, programmatic = true, tensor_maps = [#kernel.tensor_map<argument 1 : bf16, shape [#kernel.extent<one * 64 by 1>, #kernel.extent<tokens * 1 by 1>], strides [128], box [64, 8], swizzle 128>]>}
  func.func private @launch() attributes {kernel.launch = #kernel.launch<threads = 384, shared_bytes = 4096, cluster = 2, programmatic = true,
      tensor_maps = [#kernel.tensor_map<argument 1 : bf16, shape [#kernel.extent<one * 64 by 1>, #kernel.extent<tokens * 1 by 1>],
                                        strides [128], box [64, 8], swizzle 128>]>}

  // CHECK: func.func private @product() attributes {kernel.product = #kernel.matrix_product<activations 0 : bf16, weight 1 : bf16, result 2 : f32, workspace 3 bytes 1024, columns 96, depth 256>}
  func.func private @product() attributes {kernel.product = #kernel.matrix_product<activations 0 : bf16, weight 1 : bf16, result 2 : f32,
      workspace 3 bytes 1024, columns 96, depth 256>}
}
