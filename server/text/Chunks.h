// Where the reference tokenizer cuts long text before it looks for words. Ids depend on these cuts, so they
// are kept.
//
// Thread rule: free functions.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace kimi::text {

inline constexpr size_t kMaxSliceCharacters = 400'000; // code points
inline constexpr size_t kMaxRunCharacters = 25'000;    // of space, or of non-space

/// Python's str.isspace for one character. Unlike \s it holds for U+001C to U+001F.
bool isPythonSpace(char32_t codePoint);

/// Byte offsets at which `text` (valid UTF-8) is cut, ascending, without 0 and text.size(): every
/// kMaxSliceCharacters, and inside such a slice wherever a run would exceed kMaxRunCharacters.
std::vector<size_t> chunkCuts(std::string_view text);

} // namespace kimi::text
