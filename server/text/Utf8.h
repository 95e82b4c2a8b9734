// Reading bytes as UTF-8 exactly as Python's errors="replace" does.
//
// Thread rule: free functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kimi::text {

/// What stands at the front of some bytes.
struct Utf8Step {
  enum class Kind {
    Character,  // one well-formed character
    Invalid,    // bytes that U+FFFD replaces: the longest prefix of a character that cannot go on, or one bad
                // byte
    Incomplete, // all bytes left are the beginning of a character
  };
  Kind kind;
  size_t length;      // bytes, at least 1
  char32_t codePoint; // of a Character
};

/// `bytes` must not be empty.
Utf8Step nextUtf8(std::string_view bytes);

bool isUtf8(std::string_view bytes);

/// The bytes with every invalid or incomplete part replaced by one U+FFFD.
std::string replaceInvalidUtf8(std::string_view bytes);

/// The same, but leaves an incomplete character at the end alone: text gets what is settled, `held` what is
/// not. `bytes` is consumed into the two.
struct SettledText {
  std::string text;
  std::string held;
};
SettledText settleUtf8(std::string_view bytes);

} // namespace kimi::text
