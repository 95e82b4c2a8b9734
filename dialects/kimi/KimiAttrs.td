#ifndef KIMI_ATTRS
#define KIMI_ATTRS

include "dialects/kimi/KimiDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

class Kimi_Enum<string name, string summary, list<I32EnumAttrCase> cases> : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::kimi::model";
  let genSpecializedAttr = 0;
}

// Mirror the enums of runtime/schema/artifact.fbs, value by value (compiler/emit asserts it).
def Kimi_StepInput : Kimi_Enum<"StepInput", "what enters a step", [
    I32EnumAttrCase<"token_ids", 0>, I32EnumAttrCase<"positions", 1>, I32EnumAttrCase<"token_sequences", 2>,
    I32EnumAttrCase<"sequence_offsets", 3>, I32EnumAttrCase<"block_tables", 4>, I32EnumAttrCase<"cache_slots", 5>,
    I32EnumAttrCase<"logit_rows", 6>, I32EnumAttrCase<"temperature", 7>, I32EnumAttrCase<"top_p", 8>,
    I32EnumAttrCase<"min_p", 9>, I32EnumAttrCase<"top_k", 10>, I32EnumAttrCase<"seeds", 11>,
    I32EnumAttrCase<"draw_index", 12>, I32EnumAttrCase<"mask_rows", 13>, I32EnumAttrCase<"token_mask", 14>,
    I32EnumAttrCase<"bias_offsets", 15>, I32EnumAttrCase<"bias_tokens", 16>, I32EnumAttrCase<"bias_values", 17>,
    I32EnumAttrCase<"penalty_offsets", 18>, I32EnumAttrCase<"penalty_tokens", 19>,
    I32EnumAttrCase<"penalty_counts", 20>, I32EnumAttrCase<"repetition_penalty", 21>,
    I32EnumAttrCase<"presence_penalty", 22>, I32EnumAttrCase<"frequency_penalty", 23>,
    I32EnumAttrCase<"logprob_counts", 24>]>;

def Kimi_StepOutput : Kimi_Enum<"StepOutput", "what leaves a step", [
    I32EnumAttrCase<"sampled_tokens", 0>, I32EnumAttrCase<"logits", 1>, I32EnumAttrCase<"sampled_logprobs", 2>,
    I32EnumAttrCase<"top_tokens", 3>, I32EnumAttrCase<"top_logprobs", 4>, I32EnumAttrCase<"finite", 5>]>;

def Kimi_EntryKind : Kimi_Enum<"EntryKind", "which steps an entry serves", [
    I32EnumAttrCase<"decode", 0>, I32EnumAttrCase<"mixed", 1>]>;

def Kimi_AttentionForm : Kimi_Enum<"AttentionForm", "how latent attention is computed", [
    I32EnumAttrCase<"absorbed", 0>, I32EnumAttrCase<"expanded", 1>]>;

def Kimi_QuantisedPart : Kimi_Enum<"QuantisedPart", "which tensor of a quantised weight this is", [
    I32EnumAttrCase<"codes", 0>, I32EnumAttrCase<"scales", 1>]>;

class Kimi_Attr<string name, string mnemonic_> : AttrDef<Kimi_Dialect, name> { let mnemonic = mnemonic_; }

def Kimi_StepInputAttr : EnumAttr<Kimi_Dialect, Kimi_StepInput, "step_input"> {
  let assemblyFormat = "`<` $value `>`";
}
def Kimi_StepOutputAttr : EnumAttr<Kimi_Dialect, Kimi_StepOutput, "step_output"> {
  let assemblyFormat = "`<` $value `>`";
}
def Kimi_AttentionFormAttr : EnumAttr<Kimi_Dialect, Kimi_AttentionForm, "form"> {
  let assemblyFormat = "`<` $value `>`";
}

def Kimi_EntryAttr : Kimi_Attr<"Entry", "entry"> {
  let summary = "The bucket a step function is specialised for: kind and capacity";
  let description = [{ Example: `#kimi.entry<decode, tokens = 8, sequences = 8, rows = 8>` }];
  let parameters = (ins EnumParameter<Kimi_EntryKind>:$kind, "int64_t":$tokens, "int64_t":$sequences,
                        "int64_t":$rows);
  let assemblyFormat = "`<` $kind `,` `tokens` `=` $tokens `,` `sequences` `=` $sequences `,` `rows` `=` $rows `>`";
}

def Kimi_RowsAttr : Kimi_Attr<"Rows", "rows"> {
  let summary = "Which rows of a checkpoint matrix a weight takes";
  let description = [{
    Views the source [G * P, K] as [G, P, K] and takes rows [begin, end) of every group: [G, end - begin, K].
    Example: kv_b_proj holds per head 128 key rows, then 128 value rows: `#kimi.rows<groups = 64, of = 256, 0 to 128>`.
  }];
  let parameters = (ins "int64_t":$groups, "int64_t":$of, "int64_t":$begin, "int64_t":$end);
  let assemblyFormat = "`<` `groups` `=` $groups `,` `of` `=` $of `,` $begin `to` $end `>`";
}

def Kimi_QuantisedAttr : Kimi_Attr<"Quantised", "quantised"> {
  let summary = "One half of a quantised weight: codes, or their scales, in blocks of rows x columns";
  let description = [{
    A value is its code times the scale of its block. `codes <128 x 128>` of f8E4M3FN is `fp8 128x128`, `codes <1 x 32>` of
    i4 is `int4 g32`. Codes of 4 bits are stored plus 8, lowest nibble first.
    The packer refuses codes that are not a number and scales that are not finite.
    With `rows`, scales have a row for each row that is taken, whatever block it comes from: 1 x columns for kernels.
    Example: `#kimi.quantised<codes 128 x 128>`
  }];
  let parameters = (ins EnumParameter<Kimi_QuantisedPart>:$part, "int64_t":$block_rows, "int64_t":$block_columns);
  let assemblyFormat = "`<` $part $block_rows `x` $block_columns `>`";
}

def Kimi_RopeAttr : Kimi_Attr<"Rope", "rope"> {
  let summary = "Rotary embedding frequencies, plain or YaRN";
  let description = [{
    dim values rotate in pairs. f_i = theta^(-2i/dim). With factor > 1 (YaRN, arXiv 2309.00071):
      corr(r) = dim * ln(original_context / (2 pi r)) / (2 ln theta), low = floor(corr(beta_fast)),
      high = ceil(corr(beta_slow)), both clamped to [0, dim - 1], ramp_i = clamp((i - low) / (high - low), 0, 1) with
      high + 0.001 where they are equal, and f_i becomes f_i / factor * ramp_i + f_i * (1 - ramp_i).
    cos and sin are multiplied by `magnitude` = mscale(factor, mscale) / mscale(factor, mscale_all_dim),
    mscale(s, m) = 0.1 m ln s + 1 (1 where s <= 1). The table applies at every position, also below original_context.
    Example: `#kimi.rope<dim = 64, theta = 5.000000e+04 : f64, factor = 3.200000e+01 : f64, original_context = 4096, beta_fast = 1.000000e+00 : f64, beta_slow = 1.000000e+00 : f64, magnitude = 1.000000e+00 : f64>`
  }];
  let parameters = (ins "int64_t":$dim, "::mlir::FloatAttr":$theta, "::mlir::FloatAttr":$factor,
                        "int64_t":$original_context, "::mlir::FloatAttr":$beta_fast,
                        "::mlir::FloatAttr":$beta_slow, "::mlir::FloatAttr":$magnitude);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Kimi_CacheType : TypeDef<Kimi_Dialect, "Cache"> {
  let mnemonic = "cache";
  let summary = "One layer of a paged cache: blocks of 64 tokens, a row of values each";
  let description = [{ Memory with effects, not a tensor. Example: `!kimi.cache<576 x bf16>` }];
  let parameters = (ins "int64_t":$values, "::mlir::Type":$elementType);
  let assemblyFormat = "`<` $values `x` $elementType `>`";
}

#endif
