// Every message of a verifier or parser: one symbol OP_cN per constraint (CN) of the operation's description.
// RUN: kimi-opt %s -split-input-file -verify-diagnostics

// expected-error @+1 {{'weight_c1' is 'tensor<96x256xbf16>' but 'tensor<96x256xbf16>' in #kernel.layout<panel, 16> is 'tensor<6x256x16xbf16>'}}
plan.weight @weight_c1 : tensor<96x256xbf16> packs tensor<96x256xbf16> layout <panel, 16> from "w"

// -----

// expected-error @+1 {{'weight_c1_strided' packs 'tensor<8x64x16xbf16>' in strides of 32 rows, which do not hold its rows}}
plan.weight @weight_c1_strided : tensor<8x32x16xbf16> packs tensor<8x64x16xbf16> layout <strided, 32> from "w"

// -----

// expected-error @+1 {{'weight_c1_panel' packs 'tensor<90x256xbf16>' in panels of 16, which do not divide its columns}}
plan.weight @weight_c1_panel : tensor<90x256xbf16> packs tensor<90x256xbf16> layout <panel, 16> from "w"

// -----

// expected-error @+1 {{'weight_c2' needs exactly one of a checkpoint name and a rope}}
plan.weight @weight_c2 : tensor<8xbf16> packs tensor<8xbf16> layout <row_major, 1>

// -----

// expected-error @+1 {{'weight_c3' is 'tensor<?xbf16>' but a file holds known sizes of i8, i32, i64, bf16, f16, f32 or f8E4M3FN}}
plan.weight @weight_c3 : tensor<?xbf16> packs tensor<?xbf16> layout <row_major, 1> from "w"

// -----

// expected-error @+1 {{'weight_c3_type' is 'tensor<8xi1>' but a file holds known sizes of i8, i32, i64, bf16, f16, f32 or f8E4M3FN}}
plan.weight @weight_c3_type : tensor<8xi1> packs tensor<8xi1> layout <row_major, 1> from "w"

// -----

// expected-error @+1 {{'cache_c1' holds 'f64', which is no type of the artifact's schema}}
plan.cache @cache_c1 : !kimi.cache<48 x f64> layers 4

// -----

// expected-error @+1 {{'block_c1' holds 'plan.block' but a block holds plan.launch only}}
plan.block @block_c1 {
  plan.block @inner {
  }
}

// -----

// expected-error @+1 {{'entry_c1' holds 'plan.block' but an entry holds plan.launch and plan.call only}}
plan.entry @entry_c1 <decode> capacity <tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0> arena 0 {
  plan.block @inner {
  }
}

// -----

// expected-error @+1 {{'entry_c2' is a decode entry of 8 tokens and 4 sequences: each brings one token}}
plan.entry @entry_c2 <decode> capacity <tokens = 8, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0> arena 0 {
}

// -----

// expected-error @+1 {{'entry_c3' has an arena of 100 bytes, which is no multiple of 64}}
plan.entry @entry_c3 <decode> capacity <tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0> arena 100 {
}

// -----

plan.kernel @k impl <"generated", {}>
// expected-error @+1 {{launch of 'k' has a buffer that ends at byte 192 of an arena of 128}}
plan.entry @entry_c3_launch <decode> capacity <tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0> arena 128 {
  plan.launch @k grid [] () -> (arena 64 bytes 128)
}

// -----

plan.weight @k : tensor<8xbf16> packs tensor<8xbf16> layout <row_major, 1> from "w"
plan.block @launch_c1 {
  // expected-error @+1 {{launches 'k' which is no plan.kernel}}
  plan.launch @k grid [] () -> ()
}

// -----

plan.kernel @k impl <"generated", {}>
plan.block @launch_c2 {
  // expected-error @+1 {{reads @w which is no plan.weight}}
  plan.launch @k grid [] (weight @w) -> ()
}

// -----

plan.kernel @k impl <"generated", {}>
plan.weight @w : tensor<8xbf16> packs tensor<8xbf16> layout <row_major, 1> from "w"
plan.block @launch_c2_cache {
  // expected-error @+1 {{uses @w which is no plan.cache}}
  plan.launch @k grid [] (cache @w) -> ()
}

// -----

plan.kernel @k impl <"generated", {}>
plan.weight @w : tensor<8xbf16> packs tensor<8xbf16> layout <row_major, 1> from "w"
plan.block @launch_c3 {
  // expected-error @+1 {{of 'k' writes #plan.weight<@w> but only arena and output can be written}}
  plan.launch @k grid [] () -> (weight @w)
}

// -----

plan.kernel @k impl <"generated", {}>
plan.block @launch_c4 {
  // expected-error @+1 {{of 'k' has a buffer of 64 bytes at offset 32: sizes are positive, offsets multiples of 64}}
  plan.launch @k grid [] () -> (arena 32 bytes 64)
}

// -----

plan.kernel @k impl <"generated", {}>
plan.block @launch_c4_size {
  // expected-error @+1 {{of 'k' has a buffer of 0 bytes at offset 64: sizes are positive, offsets multiples of 64}}
  plan.launch @k grid [] () -> (arena 64 bytes 0)
}

// -----

plan.kernel @k impl <"generated", {}>
plan.block @launch_c5 {
  // expected-error @+1 {{of 'k' writes argument 1 (#plan.arena<64 bytes 64>) over argument 0 (#plan.arena<0 bytes 65>)}}
  plan.launch @k grid [] (arena 0 bytes 65) -> (arena 64 bytes 64)
}

// -----

plan.kernel @k impl <"generated", {}>
plan.block @launch_c5_output {
  // expected-error @+1 {{of 'k' writes argument 1 (#kimi.step_output<logits>) over argument 0 (#kimi.step_output<logits>)}}
  plan.launch @k grid [] (output logits) -> (output logits)
}

// -----

plan.kernel @k impl <"generated", {}>
plan.weight @l : tensor<8xbf16> packs tensor<8xbf16> layout <row_major, 1> from "{layer}" layers 1 count 3
plan.entry @launch_c6 <decode> capacity <tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0> arena 1024 {
  // expected-error @+1 {{reads @l which has 3 layers, outside a block}}
  plan.launch @k grid [] (weight @l) -> ()
}

// -----

plan.kernel @k impl <"generated", {}>
plan.entry @call_c1 <decode> capacity <tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0> arena 1024 {
  // expected-error @+1 {{calls 'k' which is no plan.block}}
  plan.call @k layer 0
}

// -----

plan.kernel @k impl <"generated", {}>
plan.weight @l : tensor<8xbf16> packs tensor<8xbf16> layout <row_major, 1> from "{layer}" layers 1 count 3
plan.block @b {
  plan.launch @k grid [] (weight @l) -> (arena 1024 bytes 64)
}
plan.entry @call_c2 <decode> capacity <tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0> arena 1024 {
  // expected-error @+1 {{runs 'b' for layer 4 but @l has 3 layers from 1 on}}
  plan.call @b layer 4
}

// -----

plan.kernel @k impl <"generated", {}>
plan.cache @c : !kimi.cache<48 x bf16> layers 2
plan.block @b {
  plan.launch @k grid [] (cache @c) -> ()
}
plan.entry @call_c2_cache <decode> capacity <tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0> arena 1024 {
  // expected-error @+1 {{runs 'b' for layer 2 but @c has 2 layers from 0 on}}
  plan.call @b layer 2
}

// -----

plan.kernel @k impl <"generated", {}>
plan.weight @l : tensor<8xbf16> packs tensor<8xbf16> layout <row_major, 1> from "{layer}" layers 1 count 3
plan.block @b {
  plan.launch @k grid [] (weight @l) -> (arena 1024 bytes 64)
}
plan.entry @call_c3 <decode> capacity <tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0> arena 1024 {
  // expected-error @+1 {{launch of 'k' has a buffer that ends at byte 1088 of an arena of 1024}}
  plan.call @b layer 1
}

// -----

plan.kernel @k impl <"generated", {}>
plan.block @grid_symbol {
  // expected-error @+1 {{'tokenz' is no run-time size}}
  plan.launch @k grid [tokenz] () -> ()
}

// -----

plan.kernel @k impl <"generated", {}>
plan.block @argument_kind {
  // expected-error @+1 {{'wait' is no kind of argument: expected arena, weight, input, output or cache}}
  plan.launch @k grid [] (wait @w) -> ()
}

// -----

plan.kernel @k impl <"generated", {}>
plan.block @argument_input {
  // expected-error @+1 {{'token_id' is no step input}}
  plan.launch @k grid [] (input token_id) -> ()
}

// -----

plan.kernel @k impl <"generated", {}>
plan.block @argument_output {
  // expected-error @+1 {{'logit' is no step output}}
  plan.launch @k grid [] () -> (output logit)
}

// -----

// expected-error @+1 {{'kernel_c1' is a library's product and has code in '0.cubin'}}
plan.kernel @kernel_c1 impl <"cublaslt", {}> code "0.cubin" launch <threads = 32, shared_bytes = 0>
    product <activations 0 : bf16, weight 1 : bf16, result 2 : f32, workspace 3 bytes 1024, columns 8, depth 16>

// -----

plan.kernel @k impl <"cublaslt", {}> product <activations 0 : bf16, weight 1 : bf16, result 2 : f32, workspace 3 bytes 1024, columns 8, depth 16>
plan.weight @w : tensor<8x16xbf16> packs tensor<8x16xbf16> layout <row_major, 1> from "w"
plan.block @launch_c7 {
  // expected-error @+1 {{of 'k' has a grid of 2 sizes but a product's is the number of its rows}}
  plan.launch @k grid [tokens, 2] (arena 0 bytes 128, weight @w) -> (arena 128 bytes 128, arena 256 bytes 1024)
}

// -----

plan.kernel @k impl <"cublaslt", {}> product <activations 0 : bf16, weight 1 : bf16, result 2 : f32, workspace 3 bytes 1024, columns 8, depth 16>
plan.weight @w : tensor<8x16xbf16> packs tensor<8x16xbf16> layout <row_major, 1> from "w"
plan.block @launch_c7_arguments {
  // expected-error @+1 {{of 'k' has 1 reads and 3 writes, which are not those of #kernel.matrix_product<activations 0}}
  plan.launch @k grid [tokens] (arena 0 bytes 128) -> (arena 128 bytes 64, arena 192 bytes 64, arena 256 bytes 1024)
}

// -----

plan.kernel @k impl <"cublaslt", {}> product <activations 0 : bf16, weight 1 : bf16, result 2 : f32, workspace 3 bytes 1024, columns 8, depth 16>
plan.weight @w : tensor<8x16xbf16> packs tensor<8x16xbf16> layout <row_major, 1> from "w"
plan.block @launch_c7_weight {
  // expected-error @+1 {{of 'k' multiplies by #plan.arena<2048 bytes 256> but its product needs a weight of 8 x 16 'bf16'}}
  plan.launch @k grid [tokens] (arena 0 bytes 128, arena 2048 bytes 256) -> (arena 128 bytes 128, arena 256 bytes 1024)
}

// -----

plan.kernel @k impl <"cublaslt", {}> product <activations 0 : bf16, weight 1 : bf16, result 2 : f32, workspace 3 bytes 1024, columns 8, depth 16>
plan.weight @w : tensor<8x32xbf16> packs tensor<8x32xbf16> layout <row_major, 1> from "w"
plan.block @launch_c7_weight_size {
  // expected-error @+1 {{of 'k' multiplies by #plan.weight<@w> but its product needs a weight of 8 x 16 'bf16'}}
  plan.launch @k grid [tokens] (arena 0 bytes 128, weight @w) -> (arena 128 bytes 128, arena 256 bytes 1024)
}

// -----

plan.kernel @k impl <"cublaslt", {}> product <activations 0 : bf16, weight 1 : bf16, result 2 : f32, workspace 3 bytes 1024, columns 8, depth 16>
plan.weight @w : tensor<8x16xbf16> packs tensor<8x16xbf16> layout <row_major, 1> from "w"
plan.block @launch_c7_workspace {
  // expected-error @+1 {{of 'k' has the workspace #plan.arena<320 bytes 1024> but it is 1024 bytes of the arena at a multiple of 256}}
  plan.launch @k grid [tokens] (arena 0 bytes 128, weight @w) -> (arena 128 bytes 128, arena 320 bytes 1024)
}

// -----

plan.kernel @k impl <"cublaslt", {}> product <activations 0 : bf16, weight 1 : bf16, result 2 : f32, workspace 3 bytes 1024, columns 8, depth 16>
plan.weight @w : tensor<8x16xbf16> packs tensor<8x16xbf16> layout <row_major, 1> from "w"
plan.entry @launch_c8 <decode> capacity <tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0> arena 2048 {
  // expected-error @+1 {{runs 'k', a call of cublaslt, in the decode entry 'launch_c8', whose graph holds kernels only}}
  plan.launch @k grid [tokens] (arena 0 bytes 128, weight @w) -> (arena 128 bytes 128, arena 256 bytes 1024)
}

// -----

plan.kernel @k impl <"cublaslt", {}> product <activations 0 : bf16, weight 1 : bf16, result 2 : f32, workspace 3 bytes 1024, columns 8, depth 16>
plan.weight @w : tensor<8x16xbf16> packs tensor<8x16xbf16> layout <row_major, 1> from "w"
plan.block @b {
  plan.launch @k grid [tokens] (arena 0 bytes 128, weight @w) -> (arena 128 bytes 128, arena 256 bytes 1024)
}
plan.entry @call_c4 <decode> capacity <tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 2, bias_entries = 0, penalty_entries = 0> arena 2048 {
  // expected-error @+1 {{runs 'k', a call of cublaslt, in the decode entry 'call_c4', whose graph holds kernels only}}
  plan.call @b layer 0
}
