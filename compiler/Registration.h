// All dialects and passes, for the tools that read IR. Thread rule: call once, before contexts are made.
#pragma once

#include "mlir/IR/DialectRegistry.h"

namespace kimi {

/// Our dialects and upstream's, with their interface implementations.
void registerDialects(mlir::DialectRegistry &registry);

/// Makes our passes known to command lines.
void registerPasses();

} // namespace kimi
