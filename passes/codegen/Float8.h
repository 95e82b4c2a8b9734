// Conversions of f8E4M3FN, for which the LLVM dialect has no operation.
#pragma once

#include "mlir/IR/PatternMatch.h"

namespace kimi::passes {

/// f8E4M3FN → f32 as integer arithmetic and a conversion from f16; finite codes only: the packer refuses others. f32 →
/// f8E4M3FN to nearest even, saturated at 448; not a number becomes 448.
void populateExpandFloat8Patterns(mlir::RewritePatternSet &patterns);

} // namespace kimi::passes
