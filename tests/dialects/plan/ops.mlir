// A plan prints as it was written, and reads back.
// RUN: kimi-opt %s | kimi-opt | FileCheck %s

module @tiny attributes {kimi.code = "a.so"} {
  // CHECK: plan.weight @embedding : tensor<640x32xbf16> packs tensor<640x32xbf16> layout <row_major, 1> from "embed.weight"
  plan.weight @embedding : tensor<640x32xbf16> packs tensor<640x32xbf16> layout <row_major, 1> from "embed.weight"
  // CHECK: plan.weight @moe.q_a_proj : tensor<6x32x16xbf16> packs tensor<96x32xbf16> layout <panel, 16>
  // CHECK-SAME: from "layers.{layer}.q_a.weight" layers 1 count 3
  plan.weight @moe.q_a_proj : tensor<6x32x16xbf16> packs tensor<96x32xbf16> layout <panel, 16>
      from "layers.{layer}.q_a.weight" layers 1 count 3
  // CHECK: plan.weight @moe.kv_b_key : tensor<4x24x32xbf16> packs tensor<4x24x32xbf16> layout <row_major, 1>
  // CHECK-SAME: rows <groups = 4, of = 48, 0 to 24>
  plan.weight @moe.kv_b_key : tensor<4x24x32xbf16> packs tensor<4x24x32xbf16> layout <row_major, 1>
      from "layers.{layer}.kv_b.weight" layers 1 count 3 rows <groups = 4, of = 48, 0 to 24>
  // CHECK: plan.weight @moe.experts : {{.*}} layers 1 count 3 experts 8
  plan.weight @moe.experts : tensor<8x1x32x16xbf16> packs tensor<8x16x32xbf16> layout <panel, 16>
      from "layers.{layer}.experts.{expert}.weight" layers 1 count 3 experts 8
  // CHECK: plan.cache @latent : !kimi.cache<48 x bf16> layers 4
  plan.cache @latent : !kimi.cache<48 x bf16> layers 4
  // CHECK: plan.kernel @linear_96x32 impl <"generated", {tile = [32, 64]}> cost <bytes = [#kernel.cost_term<tokens * 1 cap 0 each 704>], flops = []>
  plan.kernel @linear_96x32 impl <"generated", {tile = [32, 64]}>
      cost <bytes = [#kernel.cost_term<tokens * 1 cap 0 each 704>], flops = []>
  // CHECK: plan.kernel @other impl <"generated", {}>
  plan.kernel @other impl <"generated", {}>

  // CHECK: plan.block @moe_layer.decode_4 {
  plan.block @moe_layer.decode_4 {
    // CHECK-NEXT: plan.launch @linear_96x32 grid [tokens by 32, 6 by 4] (arena 0 bytes 256, weight @moe.q_a_proj) -> (arena 256 bytes 768)
    plan.launch @linear_96x32 grid [tokens * 1 by 32, one * 6 by 4] (arena 0 bytes 256, weight @moe.q_a_proj)
        -> (arena 256 bytes 768)
    // CHECK-NEXT: plan.launch @other grid [tokens * 8] (arena 256 bytes 768, input cache_slots, cache @latent) -> ()
    plan.launch @other grid [tokens * 8] (arena 256 bytes 768, input cache_slots, cache @latent) -> ()
    // CHECK-NEXT: plan.launch @other grid [] (arena 256 bytes 768, weight @embedding) -> (arena 0 bytes 256)
    plan.launch @other grid [] (arena 256 bytes 768, weight @embedding) -> (arena 0 bytes 256)
  }

  // CHECK: plan.entry @decode_4 <decode> capacity <tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0> arena 1024 {
  plan.entry @decode_4 <decode> capacity <tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0> arena 1024 {
    // CHECK-NEXT: plan.launch @other grid [tokens] (input token_ids, weight @embedding) -> (arena 0 bytes 256)
    plan.launch @other grid [tokens] (input token_ids, weight @embedding) -> (arena 0 bytes 256)
    // CHECK-NEXT: plan.call @moe_layer.decode_4 layer 1
    plan.call @moe_layer.decode_4 layer 1
    // CHECK-NEXT: plan.launch @other grid [logit_rows, 40] (arena 0 bytes 256) -> (output logits)
    plan.launch @other grid [logit_rows, 40] (arena 0 bytes 256) -> (output logits)
    // CHECK-NEXT: plan.launch @other grid [logit_rows] (output logits) -> (output sampled_tokens, arena 0 bytes 16)
    plan.launch @other grid [logit_rows] (output logits) -> (output sampled_tokens, arena 0 bytes 16)
  }

  // CHECK: plan.kernel @product impl <"cublaslt", {}> product <activations 0 : bf16, weight 1 : bf16, result 2 : f32, workspace 3 bytes 1024, columns 8, depth 16>
  plan.kernel @product impl <"cublaslt", {}> product <activations 0 : bf16, weight 1 : bf16, result 2 : f32, workspace 3 bytes 1024, columns 8, depth 16>
  plan.weight @eight : tensor<8x16xbf16> packs tensor<8x16xbf16> layout <row_major, 1> from "w"
  // CHECK: plan.entry @mixed_4
  plan.entry @mixed_4 <mixed> capacity <tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0> arena 2048 {
    // CHECK-NEXT: plan.launch @product grid [tokens] (arena 0 bytes 128, weight @eight) -> (arena 128 bytes 128, arena 256 bytes 1024)
    plan.launch @product grid [tokens] (arena 0 bytes 128, weight @eight) -> (arena 128 bytes 128, arena 256 bytes 1024)
  }
}
