// RUN: kimi-opt %s --kimi-absorb-attention | FileCheck %s

// Nothing is rounded between the three operations; the sequence offsets are no longer needed.
// CHECK: func.func private @absorbed(%[[Q:.*]]: tensor<?x4x24xbf16>, %[[QR:.*]]: tensor<?x4x16xbf16>, %[[WK:.*]]: tensor<4x24x32xbf16>, %[[WV:.*]]: tensor<4x24x32xbf16>, %[[C:.*]]: !kimi.cache<48 x bf16>, %[[P:.*]]: tensor<?xi32>, %[[S:.*]]: tensor<?xi32>, %{{.*}}: tensor<?xi32>, %[[T:.*]]: tensor<?x?xi32>)
// CHECK-NEXT: %[[A:.*]] = kimi.absorb_query %[[Q]], %[[WK]] : tensor<?x4x24xbf16>, tensor<4x24x32xbf16> -> tensor<?x4x32xf32>
// CHECK-NEXT: %[[B:.*]] = kimi.paged_attention %[[A]], %[[QR]], %[[C]], %[[P]], %[[S]], %[[T]] scale 1.250000e-01 : tensor<?x4x32xf32>, tensor<?x4x16xbf16>, <48 x bf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32> -> tensor<?x4x32xf32>
// CHECK-NEXT: %[[Y:.*]] = kimi.expand_value %[[B]], %[[WV]] : tensor<?x4x32xf32>, tensor<4x24x32xbf16> -> tensor<?x4x24xf32>
// CHECK-NEXT: return %[[Y]]
// CHECK: func.func private @expanded
// CHECK-NEXT: kimi.latent_attention {{.*}} form <expanded>
module @forms {
  func.func private @absorbed(%q: tensor<?x4x24xbf16>, %qr: tensor<?x4x16xbf16>, %wk: tensor<4x24x32xbf16>,
                           %wv: tensor<4x24x32xbf16>, %cache: !kimi.cache<48 x bf16>, %pos: tensor<?xi32>,
                           %seq: tensor<?xi32>, %off: tensor<?xi32>, %tables: tensor<?x?xi32>) -> tensor<?x4x24xf32> {
    %0 = kimi.latent_attention %q, %qr, %wk, %wv, %cache, %pos, %seq, %off, %tables scale 1.250000e-01 form <absorbed>
        : tensor<?x4x24xbf16>, tensor<?x4x16xbf16>, tensor<4x24x32xbf16>, tensor<4x24x32xbf16>, <48 x bf16>,
          tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32> -> tensor<?x4x24xf32>
    return %0 : tensor<?x4x24xf32>
  }
  func.func private @expanded(%q: tensor<?x4x24xbf16>, %qr: tensor<?x4x16xbf16>, %wk: tensor<4x24x32xbf16>,
                           %wv: tensor<4x24x32xbf16>, %cache: !kimi.cache<48 x bf16>, %pos: tensor<?xi32>,
                           %seq: tensor<?xi32>, %off: tensor<?xi32>, %tables: tensor<?x?xi32>) -> tensor<?x4x24xf32> {
    %0 = kimi.latent_attention %q, %qr, %wk, %wv, %cache, %pos, %seq, %off, %tables scale 1.250000e-01 form <expanded>
        : tensor<?x4x24xbf16>, tensor<?x4x16xbf16>, tensor<4x24x32xbf16>, tensor<4x24x32xbf16>, <48 x bf16>,
          tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32> -> tensor<?x4x24xf32>
    return %0 : tensor<?x4x24xf32>
  }
}
