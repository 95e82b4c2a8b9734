// Conversions of f8E4M3FN, for which the LLVM dialect has no operation.
#pragma once

#include "mlir/IR/PatternMatch.h"

namespace kimi::passes {

/// f8E4M3FN → f32 as integer arithmetic and a conversion from f16. Finite codes only: the packer refuses others.
void populateExpandFloat8Patterns(mlir::RewritePatternSet &patterns);

} // namespace kimi::passes
