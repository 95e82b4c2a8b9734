// Tuned implementations that select may choose instead of `generated`. Thread rule: plain functions.
#pragma once

#include "dialects/kernel/Kernel.h"
#include "passes/Target.h"

namespace kimi::passes {

/// A parameter of every template: the most rows that a copy of a kernel serves.
inline constexpr llvm::StringLiteral kRowsParameter = "rows";

class Template {
public:
  virtual ~Template() = default;

  /// The implementation's name, as in #kernel.impl.
  virtual llvm::StringRef name() const = 0;
  /// Launches of at most `rows` rows are served by a kernel for so many; 0: by none.
  virtual int64_t rowsServed(int64_t rows) const = 0;
  /// Parameters of `kernel` for at most `rows` rows; an error that names the kernel and what is not accepted.
  virtual llvm::Expected<mlir::DictionaryAttr> choose(kernel::FuncOp kernel, int64_t rows) const = 0;
};

/// Those that may serve `module` on `target`, best first; none where `generated` is all there is, and none where weights stay
/// in the checkpoint's files (kimi.weights = "reference"): a template would have to be told where in a file its weight lies.
std::vector<std::unique_ptr<Template>> templatesOf(mlir::ModuleOp module, const Target &target);

/// What --impl may name: `generated`, and the templates.
llvm::SmallVector<llvm::StringRef> implementationsOf(llvm::ArrayRef<std::unique_ptr<Template>> templates);

} // namespace kimi::passes
