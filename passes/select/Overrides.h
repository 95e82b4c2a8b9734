// --impl OP=NAME: what people ask for instead of the compiler's choice. Thread rule: plain functions.
#pragma once

#include "dialects/kernel/Kernel.h"

#include "llvm/ADT/StringSet.h"

namespace kimi::passes {

inline constexpr llvm::StringLiteral kGenerated = "generated";

/// The operations that a kernel holds, by name.
llvm::SmallVector<llvm::StringRef> operationsOf(kernel::FuncOp kernel);

class Overrides {
public:
  /// Of the module attribute kimi.overrides. Reported as errors: an operation that no kernel holds, an implementation
  /// that is none of `implementations`.
  static mlir::FailureOr<Overrides> of(mlir::ModuleOp module, llvm::ArrayRef<llvm::StringRef> implementations);

  /// Whether `implementation` may serve `kernel`: all that names one of its operations asks for it; where nothing does,
  /// what is asked for "*".
  bool allow(kernel::FuncOp kernel, llvm::StringRef implementation) const;

  /// Every override "OP=NAME" but those for `generated`.
  llvm::SmallVector<std::pair<llvm::StringRef, llvm::StringRef>> demands() const;

private:
  llvm::SmallVector<std::pair<llvm::StringRef, llvm::StringRef>> entries; // operation or "*", implementation
};

} // namespace kimi::passes
