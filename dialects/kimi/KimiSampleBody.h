// What the files of kimi.sample's body share: one row of the step, and reductions over its vocabulary.
#pragma once

#include "dialects/kernel/BodyBuilder.h"

namespace kimi::model {

/// The operands of kimi.sample: logits, then the step inputs of runtime/schema/artifact.fbs in the table's order.
enum class SampleOperand : unsigned {
  logits,
  temperature,
  topP,
  minP,
  topK,
  seeds,
  drawIndex,
  maskRows,
  tokenMask,
  biasOffsets,
  biasTokens,
  biasValues,
  penaltyOffsets,
  penaltyTokens,
  penaltyCounts,
  repetitionPenalty,
  presencePenalty,
  frequencyPenalty,
  logprobCounts
};

/// One task of the grid.
struct SampleRow {
  mlir::ValueRange operands;
  mlir::Value row;    // index
  mlir::Value logits; // [V] f32, as the model gave them
  int64_t vocabulary;

  mlir::Value operand(SampleOperand which) const { return operands[static_cast<unsigned>(which)]; }
  /// The row's scalar of a control of shape [R].
  mlir::Value control(kernel::BodyBuilder &body, SampleOperand which) const;
};

/// A payload over (element, its token id as i32).
using TokenPayload =
    std::function<mlir::Value(kernel::BodyBuilder &, mlir::Value element, mlir::Value token)>;

/// Reductions of a [V] row to a scalar. Each is one linalg.generic with one combiner, so that code generation can
/// keep partial results in vector lanes. Without a payload the element itself is reduced.
mlir::Value largest(kernel::BodyBuilder &body, mlir::Value row, const TokenPayload &payload = {});
mlir::Value sumOf(kernel::BodyBuilder &body, mlir::Value row, const TokenPayload &payload = {});
mlir::Value countOf(kernel::BodyBuilder &body, mlir::Value row, const TokenPayload &condition);
/// The lowest token id that meets the condition; 0 where none does, so that a row of NaNs still names a token.
mlir::Value firstToken(kernel::BodyBuilder &body, mlir::Value row, const TokenPayload &condition);
/// The lowest token id of the largest element.
mlir::Value firstLargest(kernel::BodyBuilder &body, mlir::Value row);

/// Draws a token from softmax((z - max) / temperature) after the top_k, top_p and min_p cuts. Overwrites z.
mlir::Value drawToken(kernel::BodyBuilder &body, const SampleRow &row, mlir::Value z, mlir::Value temperature);

} // namespace kimi::model
