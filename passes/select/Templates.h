// Tuned implementations that select may choose instead of `generated`. Thread rule: plain functions.
#pragma once

#include "dialects/kimi/Kimi.h"
#include "passes/Target.h"
#include "passes/select/Overrides.h"

namespace kimi::passes {

/// A parameter of every template: the most rows that a copy of a kernel serves.
inline constexpr llvm::StringLiteral kRowsParameter = "rows";

class Template {
public:
  virtual ~Template() = default;

  /// The implementation's name, as in #kernel.impl.
  virtual llvm::StringRef name() const = 0;
  /// Launches of at most `rows` rows, in entries of that kind, are served by a kernel for so many; 0: by none.
  virtual int64_t rowsServed(int64_t rows, model::EntryKind kind) const = 0;
  /// Parameters of `kernel` for at most `rows` rows; an error that names the kernel and what is not accepted.
  virtual llvm::Expected<mlir::DictionaryAttr> choose(kernel::FuncOp kernel, int64_t rows) const = 0;
  /// Whether it serves only where --impl names it.
  virtual bool isOnlyOnRequest() const { return false; }
  /// For messages, which entries have launches that it may serve.
  virtual llvm::StringRef reach() const = 0;
};

/// The most rows that a template serves; what serves more says that it serves any number.
inline constexpr int64_t kMostTemplateRows = 128, kAnyRows = INT64_MAX;
/// Names of copies for entries beyond the templates' reach end so.
inline constexpr llvm::StringLiteral kOverTemplates = "_over128";

/// Those that may serve `module` on `target`, best first; none where `generated` is all there is, and none where weights stay
/// in the checkpoint's files (kimi.weights = "reference"): a template would have to be told where in a file its weight lies.
std::vector<std::unique_ptr<Template>> templatesOf(mlir::ModuleOp module, const Target &target);

/// Whether `tuned` may serve `kernel`, as people asked.
bool isAllowed(const Template &tuned, kernel::FuncOp kernel, const Overrides &overrides);

/// What --impl may name: `generated`, and the templates.
llvm::SmallVector<llvm::StringRef> implementationsOf(llvm::ArrayRef<std::unique_ptr<Template>> templates);

} // namespace kimi::passes
