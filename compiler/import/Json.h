// JSON from people and from other programs: parsed strictly, refused in one line. Thread rule: plain functions.
#pragma once

#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

#include <optional>
#include <string>

namespace kimi::import_ {

/// An error whose text is `message`, on one line whatever it quotes: control characters are written as in \0A.
llvm::Error makeError(const llvm::Twine &message);

/// `text` in double quotes, control characters escaped, cut where it is absurdly long: fit for a message.
std::string inQuotes(llvm::StringRef text);

/// A whole number, also one written as 1e3 or 2.0, that int64_t holds; none for anything else.
std::optional<int64_t> asInteger(const llvm::json::Value &value);

/// The whole file, at most `maxBytes` of it.
llvm::Expected<std::string> readTextFile(const std::string &path, uint64_t maxBytes);

/// Parses an object. Equal keys and nesting beyond 64 levels are errors: llvm::json keeps the last of equal keys and
/// recurses without a limit. `what` names the text in messages.
llvm::Expected<llvm::json::Object> parseObject(llvm::StringRef text, llvm::StringRef what);

} // namespace kimi::import_
