// Every value of every mirrored enum is compared here: a number that moves in one of the two breaks the build.
#include "compiler/emit/PlanEnums.h"

namespace kimi::emit {

namespace {

template <typename A, typename B> constexpr bool same(A a, B b) { return static_cast<int>(a) == static_cast<int>(b); }

#define SAME(DIALECT, ENUM, VALUE)                                                                                   \
  static_assert(same(DIALECT::ENUM::VALUE, artifact::ENUM::VALUE), #ENUM "." #VALUE " differs from artifact.fbs")

#define SAME_SYMBOL(VALUE) SAME(kernel, DimSymbol, VALUE)
SAME_SYMBOL(one);
SAME_SYMBOL(tokens);
SAME_SYMBOL(sequences);
SAME_SYMBOL(logit_rows);
SAME_SYMBOL(table_blocks);
SAME_SYMBOL(cache_blocks);
SAME_SYMBOL(bias_entries);
SAME_SYMBOL(penalty_entries);
SAME_SYMBOL(context_tokens);
static_assert(same(kernel::getMaxEnumValForDimSymbol(), artifact::DimSymbol::MAX));

#define SAME_INPUT(VALUE) SAME(model, StepInput, VALUE)
SAME_INPUT(token_ids);
SAME_INPUT(positions);
SAME_INPUT(token_sequences);
SAME_INPUT(sequence_offsets);
SAME_INPUT(block_tables);
SAME_INPUT(cache_slots);
SAME_INPUT(logit_rows);
SAME_INPUT(temperature);
SAME_INPUT(top_p);
SAME_INPUT(min_p);
SAME_INPUT(top_k);
SAME_INPUT(seeds);
SAME_INPUT(draw_index);
SAME_INPUT(mask_rows);
SAME_INPUT(token_mask);
SAME_INPUT(bias_offsets);
SAME_INPUT(bias_tokens);
SAME_INPUT(bias_values);
SAME_INPUT(penalty_offsets);
SAME_INPUT(penalty_tokens);
SAME_INPUT(penalty_counts);
SAME_INPUT(repetition_penalty);
SAME_INPUT(presence_penalty);
SAME_INPUT(frequency_penalty);
SAME_INPUT(logprob_counts);
static_assert(same(model::getMaxEnumValForStepInput(), artifact::StepInput::MAX));

#define SAME_OUTPUT(VALUE) SAME(model, StepOutput, VALUE)
SAME_OUTPUT(sampled_tokens);
SAME_OUTPUT(logits);
SAME_OUTPUT(sampled_logprobs);
SAME_OUTPUT(top_tokens);
SAME_OUTPUT(top_logprobs);
SAME_OUTPUT(finite);
static_assert(same(model::getMaxEnumValForStepOutput(), artifact::StepOutput::MAX));

SAME(model, EntryKind, decode);
SAME(model, EntryKind, mixed);
static_assert(same(model::getMaxEnumValForEntryKind(), artifact::EntryKind::MAX));

} // namespace

artifact::DimSymbol toSchema(kernel::DimSymbol symbol) { return static_cast<artifact::DimSymbol>(symbol); }
artifact::StepInput toSchema(model::StepInput input) { return static_cast<artifact::StepInput>(input); }
artifact::StepOutput toSchema(model::StepOutput output) { return static_cast<artifact::StepOutput>(output); }
artifact::EntryKind toSchema(model::EntryKind kind) { return static_cast<artifact::EntryKind>(kind); }

artifact::DataType toSchema(mlir::Type type) {
  using artifact::DataType;
  if (type.isBF16())
    return DataType::bf16;
  if (type.isF16())
    return DataType::f16;
  if (type.isF32())
    return DataType::f32;
  if (llvm::isa<mlir::Float8E4M3FNType>(type))
    return DataType::f8e4m3;
  if (type.isInteger(8))
    return type.isUnsignedInteger() ? DataType::u8 : DataType::i8;
  if (type.isInteger(32))
    return type.isUnsignedInteger() ? DataType::u32 : DataType::i32;
  return DataType::i64;
}

artifact::Swizzle toSwizzle(int64_t bytes) {
  return bytes == 128  ? artifact::Swizzle::bytes_128
         : bytes == 64 ? artifact::Swizzle::bytes_64
         : bytes == 32 ? artifact::Swizzle::bytes_32
                       : artifact::Swizzle::none;
}

} // namespace kimi::emit
