#include "compiler/import/Json.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/raw_ostream.h"

#include <filesystem>
#include <fstream>
#include <vector>

namespace kimi::import_ {
namespace {

constexpr size_t kMaxDepth = 64;
constexpr size_t kMaxQuoted = 200;

/// The index of the quote that ends the string beginning at `begin`, or the text's size.
size_t endOfString(llvm::StringRef text, size_t begin) {
  size_t end = begin + 1;
  while (end < text.size() && text[end] != '"')
    end += text[end] == '\\' ? 2 : 1;
  return std::min(end, text.size());
}

/// Checks keys and depth of a text that may not even be JSON; whatever else is wrong is left to the parser.
llvm::Error checkKeysAndDepth(llvm::StringRef text, llvm::StringRef what) {
  std::vector<llvm::StringSet<>> open;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '{' || c == '[') {
      open.emplace_back();
      if (open.size() > kMaxDepth)
        return makeError(what + " nests deeper than " + llvm::Twine(kMaxDepth) + " levels at byte " + llvm::Twine(i));
    } else if ((c == '}' || c == ']') && !open.empty()) {
      open.pop_back();
    } else if (c == '"') {
      const size_t end = endOfString(text, i);
      const llvm::StringRef string = text.slice(i + 1, end);
      i = end;
      const bool isKey = text.drop_front(std::min(end + 1, text.size())).ltrim().starts_with(":");
      if (isKey && !open.empty() && !open.back().insert(string).second)
        return makeError(what + " has the key " + inQuotes(string) + " twice");
    }
  }
  return llvm::Error::success();
}

} // namespace

llvm::Error makeError(const llvm::Twine &message) {
  std::string line;
  for (const char c : message.str())
    if (llvm::isPrint(c) || static_cast<unsigned char>(c) >= 0x80)
      line += c;
    else
      line += {'\\', llvm::hexdigit(static_cast<unsigned char>(c) >> 4), llvm::hexdigit(c & 0xF)};
  return llvm::createStringError(llvm::inconvertibleErrorCode(), line);
}

std::string inQuotes(llvm::StringRef text) {
  std::string result;
  llvm::raw_string_ostream stream(result);
  stream << '"';
  llvm::printEscapedString(text.take_front(kMaxQuoted), stream);
  stream << (text.size() > kMaxQuoted ? "...\"" : "\"");
  return result;
}

std::optional<int64_t> asInteger(const llvm::json::Value &value) {
  // getAsInteger converts the double 2^63, which no int64_t holds. 2^63 - 1 is no double, but rounds to it.
  const std::optional<double> number = value.getAsNumber();
  if (number && *number >= 0x1p63 && !value.getAsUINT64())
    return std::nullopt;
  return value.getAsInteger();
}

llvm::Expected<std::string> readTextFile(const std::string &path, uint64_t maxBytes) {
  std::error_code code;
  const uint64_t bytes = std::filesystem::file_size(path, code);
  if (code)
    return makeError(path + ": cannot be read: " + code.message());
  if (bytes > maxBytes)
    return makeError(path + " has " + llvm::Twine(bytes) + " bytes; at most " + llvm::Twine(maxBytes) +
                     " are expected here");
  std::string text(bytes, '\0');
  std::ifstream file(path, std::ios::binary);
  if (!file.read(text.data(), static_cast<std::streamsize>(bytes)))
    return makeError(path + ": cannot be read");
  return text;
}

llvm::Expected<llvm::json::Object> parseObject(llvm::StringRef text, llvm::StringRef what) {
  if (llvm::Error error = checkKeysAndDepth(text, what))
    return error;
  llvm::Expected<llvm::json::Value> value = llvm::json::parse(text);
  if (!value)
    return makeError(what + " is not JSON: " + llvm::toString(value.takeError()));
  if (llvm::json::Object *object = value->getAsObject())
    return std::move(*object);
  return makeError(what + " is JSON but not an object {..}");
}

} // namespace kimi::import_
