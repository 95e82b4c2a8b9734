// --impl OP=NAME: what people ask for instead of the compiler's choice. Thread rule: plain functions.
#pragma once

#include "dialects/kernel/Kernel.h"

#include "llvm/ADT/StringSet.h"

namespace kimi::passes {

inline constexpr llvm::StringLiteral kGenerated = "generated", kCublasLt = "cublaslt";

/// The operations that a kernel holds, by name.
llvm::SmallVector<llvm::StringRef> operationsOf(kernel::FuncOp kernel);

/// "linear_swiglu_round": each operation once, where it is repeated.
std::string joinedNames(llvm::ArrayRef<llvm::StringRef> operations);

class Overrides {
public:
  /// Of the module attribute kimi.overrides. Reported as errors: an operation that no kernel holds, an implementation
  /// that is none of `implementations`.
  static mlir::FailureOr<Overrides> of(mlir::ModuleOp module, llvm::ArrayRef<llvm::StringRef> implementations);

  /// Whether `implementation` may serve `kernel`: all that names one of its operations asks for it; where nothing does,
  /// what is asked for "*". Who asks for a library says nothing of entries that it does not serve:
  /// "linear=cublaslt" and "*=generated" are generated code there.
  bool allow(kernel::FuncOp kernel, llvm::StringRef implementation) const;

  /// Whether it may, and somebody asked for it.
  bool asksFor(kernel::FuncOp kernel, llvm::StringRef implementation) const;

  /// Every override "OP=NAME" but those for `generated`.
  llvm::SmallVector<std::pair<llvm::StringRef, llvm::StringRef>> demands() const;

private:
  /// What names one of the kernel's operations; where nothing does, what is said of "*". Without who asks for `except`.
  llvm::SmallVector<llvm::StringRef> askedOf(kernel::FuncOp kernel, llvm::StringRef except) const;

  llvm::SmallVector<std::pair<llvm::StringRef, llvm::StringRef>> entries; // operation or "*", implementation
};

} // namespace kimi::passes
