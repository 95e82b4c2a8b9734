// Every message of a verifier: one function (or weight) OP_cN per constraint (CN) of the operation's description.
// RUN: kimi-opt %s -split-input-file -verify-diagnostics

// expected-error @+1 {{'weight_c1' needs exactly one of a checkpoint name and a rope}}
kimi.weight @weight_c1 : tensor<8xbf16>

// -----

// expected-error @+1 {{'weight_c2' reads "model.layers.{layer}.norm.weight": {layer} goes with `layers .. count ..` and only with it}}
kimi.weight @weight_c2 : tensor<8xbf16> from "model.layers.{layer}.norm.weight"

// -----

// expected-error @+1 {{'weight_c3' has 16 experts but type 'tensor<8x4x4xbf16>'}}
kimi.weight @weight_c3 : tensor<8x4x4xbf16> from "experts.{expert}.weight" experts 16

// -----

// expected-error @+1 {{'weight_c4' takes 4 groups of 24 rows but has type 'tensor<4x48x32xbf16>'}}
kimi.weight @weight_c4 : tensor<4x48x32xbf16> from "kv_b_proj.weight" rows <groups = 4, of = 48, 0 to 24>

// -----

// expected-error @+1 {{'weight_c5' is 'tensor<4x48xbf16>' but codes are f8E4M3FN or i4}}
kimi.weight @weight_c5 : tensor<4x48xbf16> from "w.weight" quantised <codes 128 x 128>

// -----

// expected-error @+1 {{'weight_c5_plain' is 'tensor<4x48xf8E4M3FN>', which are codes: say `quantised`}}
kimi.weight @weight_c5_plain : tensor<4x48xf8E4M3FN> from "w.weight"

// -----

// expected-error @+1 {{'weight_c5_scales' is 'tensor<4x48xi32>' but scales are f32 or bf16}}
kimi.weight @weight_c5_scales : tensor<4x48xi32> from "w.weight_scale" quantised <scales 1 x 32>

// -----

func.func @load_weight_c1() {
  // expected-error @+1 {{loads 'tensor<8xbf16>' but 'norm' is no kimi.weight}}
  %0 = kimi.load_weight @norm : tensor<8xbf16>
  return
}

// -----

kimi.weight @norm : tensor<16xbf16> from "model.norm.weight"
func.func @load_weight_c1_type() {
  // expected-error @+1 {{loads 'tensor<8xbf16>' but 'norm' is another weight type}}
  %0 = kimi.load_weight @norm : tensor<8xbf16>
  return
}

// -----

kimi.weight @norm : tensor<8xbf16> from "model.norm.weight"
func.func @load_weight_c2(%layer: index) {
  // expected-error @+1 {{'norm' has no layers}}
  %0 = kimi.load_weight @norm[%layer] : tensor<8xbf16>
  return
}

// -----

kimi.weight @norm : tensor<8xbf16> from "model.layers.{layer}.norm.weight" layers 0 count 2
func.func @load_weight_c2_missing() {
  // expected-error @+1 {{'norm' needs a layer}}
  %0 = kimi.load_weight @norm : tensor<8xbf16>
  return
}

// -----

kimi.cache @latent : !kimi.cache<40 x bf16> layers 2
func.func @load_cache_c1(%layer: index) {
  // expected-error @+1 {{loads '!kimi.cache<48 x bf16>' but 'latent' is no kimi.cache of that type}}
  %0 = kimi.load_cache @latent[%layer] : <48 x bf16>
  return
}

// -----

func.func @step_input_c1() {
  // expected-error @+1 {{positions is 'tensor<?xf32>' but the step table says 'tensor<?xi32>'}}
  %0 = kimi.step_input <positions> : tensor<?xf32>
  return
}

// -----

func.func @step_output_c1(%x: tensor<?xf32>) {
  // expected-error @+1 {{sampled_tokens is 'tensor<?xf32>' but the step table says 'tensor<?xi32>'}}
  kimi.step_output <sampled_tokens> %x : tensor<?xf32>
  return
}

// -----

func.func @embedding_rank(%ids: tensor<?x1xi32>, %t: tensor<640x256xbf16>) {
  // expected-error @+1 {{ids is 'tensor<?x1xi32>' but needs rank 1}}
  %0 = kimi.embedding %ids, %t : tensor<?x1xi32>, tensor<640x256xbf16> -> tensor<?x256xbf16>
  return
}

// -----

func.func @embedding_c1(%ids: tensor<?xi32>, %t: tensor<640x256xbf16>) {
  // expected-error @+1 {{H of table is 256 but H of result is 128}}
  %0 = kimi.embedding %ids, %t : tensor<?xi32>, tensor<640x256xbf16> -> tensor<?x128xbf16>
  return
}

// -----

func.func @embedding_c2(%ids: tensor<?xi32>, %t: tensor<640x256xbf16>) {
  // expected-error @+1 {{looks up 'tensor<640x256xbf16>' as 'tensor<?x256xf16>': rows keep their type or become f32}}
  %0 = kimi.embedding %ids, %t : tensor<?xi32>, tensor<640x256xbf16> -> tensor<?x256xf16>
  return
}

// -----

func.func @rms_norm_c1(%x: tensor<?x256xbf16>, %w: tensor<128xbf16>) {
  // expected-error @+1 {{the row of x is 256 but weight is 128}}
  %0 = kimi.rms_norm %x, %w eps 1.0e-06 : tensor<?x256xbf16>, tensor<128xbf16> -> tensor<?x256xf32>
  return
}

// -----

func.func @rms_norm_c2(%x: tensor<?x256xbf16>, %w: tensor<256xbf16>) {
  // expected-error @+1 {{eps is 0.000000e+00 but must be positive}}
  %0 = kimi.rms_norm %x, %w eps 0.0 : tensor<?x256xbf16>, tensor<256xbf16> -> tensor<?x256xf32>
  return
}

// -----

func.func @rms_norm_shape(%x: tensor<?x256xbf16>, %w: tensor<256xbf16>) {
  // expected-error @+1 {{x is 'tensor<?x256xbf16>' but result is 'tensor<4x256xf32>': their shapes must agree}}
  %0 = kimi.rms_norm %x, %w eps 1.0e-06 : tensor<?x256xbf16>, tensor<256xbf16> -> tensor<4x256xf32>
  return
}

// -----

func.func @rms_norm_f32(%x: tensor<?x256xbf16>, %w: tensor<256xbf16>) {
  // expected-error @+1 {{returns 'tensor<?x256xbf16>' but computes in f32: round it with kimi.round}}
  %0 = kimi.rms_norm %x, %w eps 1.0e-06 : tensor<?x256xbf16>, tensor<256xbf16> -> tensor<?x256xbf16>
  return
}

// -----

func.func @linear_c1(%x: tensor<?x256xbf16>, %w: tensor<64x128xbf16>) {
  // expected-error @+1 {{K of x is 256 but K of weight is 128}}
  %0 = kimi.linear %x, %w : tensor<?x256xbf16>, tensor<64x128xbf16> -> tensor<?x64xf32>
  return
}

// -----

func.func @linear_c2(%x: tensor<?x256xbf16>, %w: tensor<64x256xbf16>) {
  // expected-error @+1 {{N of weight is 64 but N of result is 32}}
  %0 = kimi.linear %x, %w : tensor<?x256xbf16>, tensor<64x256xbf16> -> tensor<?x32xf32>
  return
}

// -----

func.func @round_c1(%x: tensor<?x256xf32>) {
  // expected-error @+1 {{x is 'tensor<?x256xf32>' but result is 'tensor<?x128xbf16>': their shapes must agree}}
  %0 = kimi.round %x : tensor<?x256xf32> -> tensor<?x128xbf16>
  return
}

// -----

func.func @round_c2(%x: tensor<?x256xbf16>) {
  // expected-error @+1 {{rounds 16 bits to 32: the result must be narrower}}
  %0 = kimi.round %x : tensor<?x256xbf16> -> tensor<?x256xf32>
  return
}

// -----

func.func @add_c1(%a: tensor<?x256xf32>, %b: tensor<?x128xf32>) {
  // expected-error @+1 {{lhs is 'tensor<?x256xf32>' but rhs is 'tensor<?x128xf32>': their shapes must agree}}
  %0 = kimi.add %a, %b : tensor<?x256xf32>, tensor<?x128xf32> -> tensor<?x256xf32>
  return
}

// -----

func.func @swiglu_c1(%g: tensor<?x64xf32>, %u: tensor<?x32xf32>) {
  // expected-error @+1 {{gate is 'tensor<?x64xf32>' but up is 'tensor<?x32xf32>': their shapes must agree}}
  %0 = kimi.swiglu %g, %u : tensor<?x64xf32>, tensor<?x32xf32> -> tensor<?x64xf32>
  return
}

// -----

func.func @gather_rows_c1(%x: tensor<?x256xbf16>, %r: tensor<?xi32>) {
  // expected-error @+1 {{H of x is 256 but H of result is 128}}
  %0 = kimi.gather_rows %x, %r : tensor<?x256xbf16>, tensor<?xi32> -> tensor<?x128xbf16>
  return
}

// -----

func.func @gather_rows_c1_type(%x: tensor<?x256xbf16>, %r: tensor<?xi32>) {
  // expected-error @+1 {{gathers 'tensor<?x256xbf16>' into 'tensor<?x256xf32>'}}
  %0 = kimi.gather_rows %x, %r : tensor<?x256xbf16>, tensor<?xi32> -> tensor<?x256xf32>
  return
}

// -----

func.func @rope_c1(%x: tensor<?x16xbf16>, %p: tensor<?xi32>, %t: tensor<64x2x16xf32>) {
  // expected-error @+1 {{the pairs of x is 8 but the pairs of table is 16}}
  %0 = kimi.rope %x, %p, %t : tensor<?x16xbf16>, tensor<?xi32>, tensor<64x2x16xf32> -> tensor<?x16xf32>
  return
}

// -----

func.func @rope_c2(%x: tensor<?x16xbf16>, %p: tensor<?xi32>, %t: tensor<64x2x8xf32>) {
  // expected-error @+1 {{x is 'tensor<?x16xbf16>' but result is 'tensor<?x4x16xf32>': their shapes must agree}}
  %0 = kimi.rope %x, %p, %t : tensor<?x16xbf16>, tensor<?xi32>, tensor<64x2x8xf32> -> tensor<?x4x16xf32>
  return
}

// -----

func.func @cache_write_c1(%s: tensor<?xi32>, %c: !kimi.cache<48 x bf16>, %l: tensor<?x32xbf16>, %r: tensor<?x8xbf16>) {
  // expected-error @+1 {{the cache row is 48 but latent + rope is 40}}
  kimi.cache_write %s, %c, %l, %r : tensor<?xi32>, <48 x bf16>, tensor<?x32xbf16>, tensor<?x8xbf16>
  return
}

// -----

func.func @cache_write_c2(%s: tensor<?xi32>, %c: !kimi.cache<48 x bf16>, %l: tensor<?x32xf32>, %r: tensor<?x16xbf16>) {
  // expected-error @+1 {{writes 'tensor<?x32xf32>' into a cache of 'bf16': round it with kimi.round}}
  kimi.cache_write %s, %c, %l, %r : tensor<?xi32>, <48 x bf16>, tensor<?x32xf32>, tensor<?x16xbf16>
  return
}

// -----

func.func @latent_attention_c1(%q: tensor<?x4x24xbf16>, %qr: tensor<?x4x16xbf16>, %wk: tensor<4x24x32xbf16>, %wv: tensor<4x24x32xbf16>, %c: !kimi.cache<40 x bf16>, %p: tensor<?xi32>, %t: tensor<?x?xi32>) {
  // expected-error @+1 {{the cache row is 40 but latent + rope is 48}}
  %0 = kimi.latent_attention %q, %qr, %wk, %wv, %c, %p, %p, %p, %t scale 1.0 : tensor<?x4x24xbf16>, tensor<?x4x16xbf16>, tensor<4x24x32xbf16>, tensor<4x24x32xbf16>, <40 x bf16>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32> -> tensor<?x4x24xf32>
  return
}

// -----

func.func @latent_attention_c2(%q: tensor<?x4x24xbf16>, %qr: tensor<?x4x16xbf16>, %wk: tensor<8x24x32xbf16>, %wv: tensor<4x24x32xbf16>, %c: !kimi.cache<48 x bf16>, %p: tensor<?xi32>, %t: tensor<?x?xi32>) {
  // expected-error @+1 {{heads of query is 4 but heads of key_weight is 8}}
  %0 = kimi.latent_attention %q, %qr, %wk, %wv, %c, %p, %p, %p, %t scale 1.0 : tensor<?x4x24xbf16>, tensor<?x4x16xbf16>, tensor<8x24x32xbf16>, tensor<4x24x32xbf16>, <48 x bf16>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32> -> tensor<?x4x24xf32>
  return
}

// -----

func.func @latent_attention_c2_size(%q: tensor<?x4x24xbf16>, %qr: tensor<?x4x16xbf16>, %wk: tensor<4x16x32xbf16>, %wv: tensor<4x24x32xbf16>, %c: !kimi.cache<48 x bf16>, %p: tensor<?xi32>, %t: tensor<?x?xi32>) {
  // expected-error @+1 {{the query's size is 24 but the key's size is 16}}
  %0 = kimi.latent_attention %q, %qr, %wk, %wv, %c, %p, %p, %p, %t scale 1.0 : tensor<?x4x24xbf16>, tensor<?x4x16xbf16>, tensor<4x16x32xbf16>, tensor<4x24x32xbf16>, <48 x bf16>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32> -> tensor<?x4x24xf32>
  return
}

// -----

func.func @latent_attention_c3(%q: tensor<?x4x24xbf16>, %qr: tensor<?x4x16xbf16>, %wk: tensor<4x24x32xbf16>, %wv: tensor<4x24x32xbf16>, %c: !kimi.cache<48 x bf16>, %p: tensor<?xi32>, %t: tensor<?x?xi32>) {
  // expected-error @+1 {{the value's size is 24 but the result's is 32}}
  %0 = kimi.latent_attention %q, %qr, %wk, %wv, %c, %p, %p, %p, %t scale 1.0 : tensor<?x4x24xbf16>, tensor<?x4x16xbf16>, tensor<4x24x32xbf16>, tensor<4x24x32xbf16>, <48 x bf16>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32> -> tensor<?x4x32xf32>
  return
}

// -----

func.func @absorb_query_c1(%q: tensor<?x4x24xbf16>, %w: tensor<8x24x32xbf16>) {
  // expected-error @+1 {{heads of query is 4 but heads of key_weight is 8}}
  %0 = kimi.absorb_query %q, %w : tensor<?x4x24xbf16>, tensor<8x24x32xbf16> -> tensor<?x4x32xf32>
  return
}

// -----

func.func @absorb_query_c1_size(%q: tensor<?x4x24xbf16>, %w: tensor<4x16x32xbf16>) {
  // expected-error @+1 {{D of query is 24 but D of key_weight is 16}}
  %0 = kimi.absorb_query %q, %w : tensor<?x4x24xbf16>, tensor<4x16x32xbf16> -> tensor<?x4x32xf32>
  return
}

// -----

func.func @absorb_query_c2(%q: tensor<?x4x24xbf16>, %w: tensor<4x24x32xbf16>) {
  // expected-error @+1 {{L of key_weight is 32 but L of result is 16}}
  %0 = kimi.absorb_query %q, %w : tensor<?x4x24xbf16>, tensor<4x24x32xbf16> -> tensor<?x4x16xf32>
  return
}

// -----

func.func @paged_attention_c1(%q: tensor<?x4x32xf32>, %qr: tensor<?x4x16xbf16>, %c: !kimi.cache<40 x bf16>, %p: tensor<?xi32>, %t: tensor<?x?xi32>) {
  // expected-error @+1 {{the cache row is 40 but latent + rope is 48}}
  %0 = kimi.paged_attention %q, %qr, %c, %p, %p, %t scale 1.0 : tensor<?x4x32xf32>, tensor<?x4x16xbf16>, <40 x bf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32> -> tensor<?x4x32xf32>
  return
}

// -----

func.func @paged_attention_c2(%q: tensor<?x4x32xf32>, %qr: tensor<?x8x16xbf16>, %c: !kimi.cache<48 x bf16>, %p: tensor<?xi32>, %t: tensor<?x?xi32>) {
  // expected-error @+1 {{heads of query is 4 but heads of query_rope is 8}}
  %0 = kimi.paged_attention %q, %qr, %c, %p, %p, %t scale 1.0 : tensor<?x4x32xf32>, tensor<?x8x16xbf16>, <48 x bf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32> -> tensor<?x4x32xf32>
  return
}

// -----

func.func @expand_value_c1(%l: tensor<?x4x32xf32>, %w: tensor<8x24x32xbf16>) {
  // expected-error @+1 {{heads of latent is 4 but heads of value_weight is 8}}
  %0 = kimi.expand_value %l, %w : tensor<?x4x32xf32>, tensor<8x24x32xbf16> -> tensor<?x4x24xf32>
  return
}

// -----

func.func @expand_value_c1_size(%l: tensor<?x4x32xf32>, %w: tensor<4x24x16xbf16>) {
  // expected-error @+1 {{L of latent is 32 but L of value_weight is 16}}
  %0 = kimi.expand_value %l, %w : tensor<?x4x32xf32>, tensor<4x24x16xbf16> -> tensor<?x4x24xf32>
  return
}

// -----

func.func @expand_value_c2(%l: tensor<?x4x32xf32>, %w: tensor<4x24x32xbf16>) {
  // expected-error @+1 {{V of value_weight is 24 but V of result is 32}}
  %0 = kimi.expand_value %l, %w : tensor<?x4x32xf32>, tensor<4x24x32xbf16> -> tensor<?x4x32xf32>
  return
}

// -----

func.func @route_experts_c1(%l: tensor<?x16xf32>, %b: tensor<8xf32>) {
  // expected-error @+1 {{experts of logits is 16 but experts of bias is 8}}
  %i, %w = kimi.route_experts %l, %b groups 1 keep 1 normalise true scaling 1.0 : tensor<?x16xf32>, tensor<8xf32> -> tensor<?x4xi32>, tensor<?x4xf32>
  return
}

// -----

func.func @route_experts_c2(%l: tensor<?x16xf32>, %b: tensor<16xf32>) {
  // expected-error @+1 {{k of ids is 4 but k of weights is 2}}
  %i, %w = kimi.route_experts %l, %b groups 1 keep 1 normalise true scaling 1.0 : tensor<?x16xf32>, tensor<16xf32> -> tensor<?x4xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @route_experts_c2_range(%l: tensor<?x16xf32>, %b: tensor<16xf32>) {
  // expected-error @+1 {{chooses 32 of 16 experts}}
  %i, %w = kimi.route_experts %l, %b groups 1 keep 1 normalise true scaling 1.0 : tensor<?x16xf32>, tensor<16xf32> -> tensor<?x32xi32>, tensor<?x32xf32>
  return
}

// -----

func.func @route_experts_c3(%l: tensor<?x16xf32>, %b: tensor<16xf32>) {
  // expected-error @+1 {{keeps 1 of 3 groups of 16 experts: groups must divide experts and hold the kept ones}}
  %i, %w = kimi.route_experts %l, %b groups 3 keep 1 normalise true scaling 1.0 : tensor<?x16xf32>, tensor<16xf32> -> tensor<?x4xi32>, tensor<?x4xf32>
  return
}

// -----

func.func @dispatch_c1(%i: tensor<?x4xi32>) {
  // expected-error @+1 {{offsets has 1 elements; at least 2 are needed}}
  %r, %s, %o = kimi.dispatch %i : tensor<?x4xi32> -> tensor<?xi32>, tensor<?x4xi32>, tensor<1xi32>
  return
}

// -----

func.func @dispatch_c2(%i: tensor<?x4xi32>) {
  // expected-error @+1 {{ids is 'tensor<?x4xi32>' but slots is 'tensor<?x2xi32>': their shapes must agree}}
  %r, %s, %o = kimi.dispatch %i : tensor<?x4xi32> -> tensor<?xi32>, tensor<?x2xi32>, tensor<17xi32>
  return
}

// -----

func.func @expert_linear_c1(%x: tensor<?x256xbf16>, %o: tensor<17xi32>, %w: tensor<16x64x128xbf16>) {
  // expected-error @+1 {{K of x is 256 but K of weight is 128}}
  %0 = kimi.expert_linear %x offsets %o, %w : tensor<?x256xbf16>, tensor<17xi32>, tensor<16x64x128xbf16> -> tensor<?x64xf32>
  return
}

// -----

func.func @expert_linear_c2(%x: tensor<?x256xbf16>, %o: tensor<16xi32>, %w: tensor<16x64x256xbf16>) {
  // expected-error @+1 {{the size of offsets is 16 but experts + 1 is 17}}
  %0 = kimi.expert_linear %x offsets %o, %w : tensor<?x256xbf16>, tensor<16xi32>, tensor<16x64x256xbf16> -> tensor<?x64xf32>
  return
}

// -----

func.func @expert_linear_c3(%x: tensor<?x256xbf16>, %o: tensor<17xi32>, %w: tensor<16x64x256xbf16>) {
  // expected-error @+1 {{N of weight is 64 but N of result is 32}}
  %0 = kimi.expert_linear %x offsets %o, %w : tensor<?x256xbf16>, tensor<17xi32>, tensor<16x64x256xbf16> -> tensor<?x32xf32>
  return
}

// -----

func.func @combine_c1(%x: tensor<?x256xbf16>, %s: tensor<?x4xi32>, %w: tensor<?x2xf32>) {
  // expected-error @+1 {{slots is 'tensor<?x4xi32>' but weights is 'tensor<?x2xf32>': their shapes must agree}}
  %0 = kimi.combine %x, %s, %w : tensor<?x256xbf16>, tensor<?x4xi32>, tensor<?x2xf32> -> tensor<?x256xf32>
  return
}

// -----

func.func @combine_c2(%x: tensor<?x256xbf16>, %s: tensor<?x4xi32>, %w: tensor<?x4xf32>) {
  // expected-error @+1 {{H of x is 256 but H of result is 128}}
  %0 = kimi.combine %x, %s, %w : tensor<?x256xbf16>, tensor<?x4xi32>, tensor<?x4xf32> -> tensor<?x128xf32>
  return
}

// -----

func.func @sample_c1(%l: tensor<?x640xbf16>, %i: tensor<?xi32>) {
  // expected-error @+1 {{returns 'tensor<?x640xbf16>' but computes in f32: round it with kimi.round}}
  %t, %p, %ti, %tl, %f = kimi.sample %l controls (%i) : tensor<?x640xbf16>, (tensor<?xi32>) -> tensor<?xi32>, tensor<?xf32>, tensor<?x20xi32>, tensor<?x20xf32>, tensor<?xi32>
  return
}

// -----

func.func @sample_c2(%l: tensor<?x640xf32>, %i: tensor<?xi32>) {
  // expected-error @+1 {{the number of controls is 2 but that of the step table is 18}}
  %t, %p, %ti, %tl, %f = kimi.sample %l controls (%i, %i) : tensor<?x640xf32>, (tensor<?xi32>, tensor<?xi32>) -> tensor<?xi32>, tensor<?xf32>, tensor<?x20xi32>, tensor<?x20xf32>, tensor<?xi32>
  return
}

// -----

func.func @dequantise_c1(%c: tensor<96x256xf8E4M3FN>, %s: tensor<1x2xf32>) {
  // expected-error @+1 {{codes is 'tensor<96x256xf8E4M3FN>' but result is 'tensor<96x128xf32>': their shapes must agree}}
  %0 = kimi.dequantise %c, %s blocks 128 x 128 : tensor<96x256xf8E4M3FN>, tensor<1x2xf32> -> tensor<96x128xf32>
  return
}

// -----

// 576 rows are four blocks and a half: five scales.
func.func @dequantise_c2(%c: tensor<576x256xf8E4M3FN>, %s: tensor<4x2xf32>) {
  // expected-error @+1 {{has codes 'tensor<576x256xf8E4M3FN>' in blocks of 128 x 128: that needs scales 'tensor<5x2xf32>', not 'tensor<4x2xf32>'}}
  %0 = kimi.dequantise %c, %s blocks 128 x 128 : tensor<576x256xf8E4M3FN>, tensor<4x2xf32> -> tensor<576x256xf32>
  return
}

// -----

func.func @dequantise_c3(%c: tensor<96x256xi8>, %s: tensor<1x2xf32>) {
  // expected-error @+1 {{codes are 'tensor<96x256xi8>' but must be f8E4M3FN or i4}}
  %0 = kimi.dequantise %c, %s blocks 128 x 128 : tensor<96x256xi8>, tensor<1x2xf32> -> tensor<96x256xf32>
  return
}
