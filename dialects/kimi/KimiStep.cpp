// The step-input table of runtime/schema/artifact.fbs, as types. One row per input: element, sizes.
#include "dialects/kimi/Kimi.h"

using namespace mlir;
using namespace kimi::model;
using kimi::kernel::DimSymbol;
using kimi::kernel::ExtentAttr;

namespace {

enum class Element { I32, F32 };

constexpr int64_t kNone = 0, kMaskWords = -1, kVocabulary = -2;

/// `symbol` is the first size (plus `extra`); `columns` the second: a number, or one of the constants above.
struct Row {
  Element element;
  DimSymbol symbol;
  int64_t columns = kNone;
};

Row inputRow(StepInput input) {
  switch (input) {
  case StepInput::token_ids:
  case StepInput::positions:
  case StepInput::token_sequences:
  case StepInput::cache_slots:
    return {Element::I32, DimSymbol::tokens};
  case StepInput::sequence_offsets:
  case StepInput::block_tables:
    return {Element::I32, DimSymbol::sequences};
  case StepInput::temperature:
  case StepInput::top_p:
  case StepInput::min_p:
  case StepInput::repetition_penalty:
  case StepInput::presence_penalty:
  case StepInput::frequency_penalty:
    return {Element::F32, DimSymbol::logit_rows};
  case StepInput::seeds:
    return {Element::I32, DimSymbol::logit_rows, 2};
  case StepInput::token_mask:
    return {Element::I32, DimSymbol::logit_rows, kMaskWords};
  case StepInput::bias_tokens:
    return {Element::I32, DimSymbol::bias_entries};
  case StepInput::bias_values:
    return {Element::F32, DimSymbol::bias_entries};
  case StepInput::penalty_tokens:
  case StepInput::penalty_counts:
    return {Element::I32, DimSymbol::penalty_entries};
  default:
    return {Element::I32, DimSymbol::logit_rows};
  }
}

Row outputRow(StepOutput output) {
  switch (output) {
  case StepOutput::logits:
    return {Element::F32, DimSymbol::logit_rows, kVocabulary};
  case StepOutput::sampled_logprobs:
    return {Element::F32, DimSymbol::logit_rows};
  case StepOutput::top_tokens:
    return {Element::I32, DimSymbol::logit_rows, 20};
  case StepOutput::top_logprobs:
    return {Element::F32, DimSymbol::logit_rows, 20};
  default:
    return {Element::I32, DimSymbol::logit_rows};
  }
}

RankedTensorType typeOf(Row row, bool blockTable, int64_t vocabulary, MLIRContext *context) {
  Type element = row.element == Element::F32 ? Type(Float32Type::get(context)) : IntegerType::get(context, 32);
  SmallVector<int64_t> shape = {ShapedType::kDynamic};
  if (blockTable)
    shape.push_back(ShapedType::kDynamic);
  else if (row.columns == kMaskWords)
    shape.push_back((vocabulary + 31) / 32);
  else if (row.columns == kVocabulary)
    shape.push_back(vocabulary);
  else if (row.columns != kNone)
    shape.push_back(row.columns);
  return RankedTensorType::get(shape, element);
}

} // namespace

namespace kimi::model {

RankedTensorType stepInputType(StepInput input, int64_t vocabulary, MLIRContext *context) {
  return typeOf(inputRow(input), input == StepInput::block_tables, vocabulary, context);
}

RankedTensorType stepOutputType(StepOutput output, int64_t vocabulary, MLIRContext *context) {
  return typeOf(outputRow(output), false, vocabulary, context);
}

Extents stepInputDims(StepInput input, MLIRContext *context) {
  Extents dims = {ExtentAttr::get(context, inputRow(input).symbol)};
  if (input == StepInput::block_tables)
    dims.push_back(ExtentAttr::get(context, DimSymbol::table_blocks));
  return dims;
}

Extents stepOutputDims(StepOutput output, MLIRContext *context) {
  return {ExtentAttr::get(context, outputRow(output).symbol)};
}

MemRefType cacheMemRef(CacheType cache) {
  return MemRefType::get({ShapedType::kDynamic, kernel::kBlockTokens, cache.getValues()}, cache.getElementType());
}

SmallVector<Extents> dimsOfOperand(Operation *op, ArrayRef<Extents> operandDims, unsigned index) {
  SmallVector<Extents> dims;
  for (Type type : op->getResultTypes()) {
    auto shaped = cast<ShapedType>(type);
    dims.push_back(Extents(ArrayRef(operandDims[index]).take_front(shaped.getNumDynamicDims())));
  }
  return dims;
}

} // namespace kimi::model
