// Reads fields of one JSON object; the first thing wrong is kept, so that a reader of thirty fields checks once.
// Thread rule: one owner.
#pragma once

#include "compiler/import/Json.h"

#include <optional>

namespace kimi::import_ {

class FieldReader {
public:
  /// `where` begins every message, e.g. "config.json".
  FieldReader(const llvm::json::Object &object, std::string where) : object(object), where(std::move(where)) {}

  /// Integers must lie in [min, max], numbers in (above, below); a missing or null field is an error without a
  /// fallback.
  int64_t integer(llvm::StringRef key, int64_t min, int64_t max, std::optional<int64_t> fallback = std::nullopt);
  double number(llvm::StringRef key, double above, double below, std::optional<double> fallback = std::nullopt);
  bool boolean(llvm::StringRef key, std::optional<bool> fallback = std::nullopt);
  std::string string(llvm::StringRef key);

  /// The field must be `supported`; `why` says what the other values would need.
  void requireString(llvm::StringRef key, llvm::StringRef supported);
  void requireFalse(llvm::StringRef key);

  /// Missing, null.
  bool isAbsent(llvm::StringRef key) const;
  void fail(const llvm::Twine &message);
  bool hasFailed() const { return !failure.empty(); }
  llvm::Error takeError();

private:
  const llvm::json::Value *find(llvm::StringRef key, bool hasFallback, llvm::StringRef kind);
  void failValue(llvm::StringRef key, const llvm::json::Value &value, const llvm::Twine &wanted);

  const llvm::json::Object &object;
  std::string where;
  std::string failure;
};

} // namespace kimi::import_
