#include "compiler/import/FieldReader.h"

#include "llvm/Support/raw_ostream.h"

namespace kimi::import_ {

/// The value as the file spells it, cut to a length that fits a message.
static std::string printValue(const llvm::json::Value &value) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << value;
  return text.size() > 80 ? text.substr(0, 80) + "..." : text;
}

bool FieldReader::isAbsent(llvm::StringRef key) const {
  const llvm::json::Value *value = object.get(key);
  return !value || value->kind() == llvm::json::Value::Null;
}

void FieldReader::fail(const llvm::Twine &message) {
  if (failure.empty())
    failure = (where + ": " + message).str();
}

llvm::Error FieldReader::takeError() { return failure.empty() ? llvm::Error::success() : makeError(failure); }

const llvm::json::Value *FieldReader::find(llvm::StringRef key, bool hasFallback, llvm::StringRef kind) {
  if (!isAbsent(key))
    return object.get(key);
  if (!hasFallback)
    fail(key + " is missing; " + kind + " is needed");
  return nullptr;
}

void FieldReader::failValue(llvm::StringRef key, const llvm::json::Value &value, const llvm::Twine &wanted) {
  fail(key + " is " + printValue(value) + " but must be " + wanted);
}

int64_t FieldReader::integer(llvm::StringRef key, int64_t min, int64_t max, std::optional<int64_t> fallback) {
  const llvm::json::Value *value = find(key, fallback.has_value(), "an integer");
  if (!value)
    return fallback.value_or(min);
  const std::optional<int64_t> number = asInteger(*value);
  if (number && *number >= min && *number <= max)
    return *number;
  failValue(key, *value, "an integer from " + llvm::Twine(min) + " to " + llvm::Twine(max));
  return min;
}

double FieldReader::number(llvm::StringRef key, double above, double below, std::optional<double> fallback) {
  const llvm::json::Value *value = find(key, fallback.has_value(), "a number");
  if (!value)
    return fallback.value_or(below);
  const std::optional<double> number = value->getAsNumber();
  if (number && *number > above && *number < below)
    return *number;
  std::string range;
  llvm::raw_string_ostream(range) << "a number above " << above << " and below " << below;
  failValue(key, *value, range);
  return below;
}

bool FieldReader::boolean(llvm::StringRef key, std::optional<bool> fallback) {
  const llvm::json::Value *value = find(key, fallback.has_value(), "true or false");
  if (!value)
    return fallback.value_or(false);
  if (const std::optional<bool> boolean = value->getAsBoolean())
    return *boolean;
  failValue(key, *value, "true or false");
  return false;
}

std::string FieldReader::string(llvm::StringRef key) {
  const llvm::json::Value *value = find(key, false, "a string");
  if (!value)
    return {};
  if (const std::optional<llvm::StringRef> string = value->getAsString())
    return string->str();
  failValue(key, *value, "a string");
  return {};
}

void FieldReader::requireString(llvm::StringRef key, llvm::StringRef supported) {
  const std::string value = string(key);
  if (!hasFailed() && value != supported)
    fail(key + " is " + inQuotes(value) + "; only " + inQuotes(supported) + " is supported");
}

void FieldReader::requireFalse(llvm::StringRef key) {
  if (boolean(key, false))
    fail(key + " is true; only false is supported");
}

} // namespace kimi::import_
