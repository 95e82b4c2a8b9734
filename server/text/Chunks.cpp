#include "server/text/Chunks.h"

#include "server/text/Utf8.h"

namespace kimi::text {

bool isPythonSpace(char32_t c) {
  if (c < 0x80)
    return c == ' ' || (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x1F);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

std::vector<size_t> chunkCuts(std::string_view text) {
  std::vector<size_t> cuts;
  if (text.size() <= kMaxRunCharacters)
    return cuts;
  size_t sliceLength = 0, runLength = 0;
  bool runIsSpace = false;
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = nextUtf8(text.substr(at));
    const bool isSpace = isPythonSpace(step.codePoint);
    const bool sliceIsFull = sliceLength == kMaxSliceCharacters;
    const bool runIsFull = isSpace == runIsSpace && runLength == kMaxRunCharacters;
    if (sliceIsFull)
      sliceLength = 0;
    if (sliceIsFull || runIsFull)
      cuts.push_back(at);
    if (sliceIsFull || runIsFull || isSpace != runIsSpace)
      runLength = 0;
    runIsSpace = isSpace;
    ++runLength;
    ++sliceLength;
    at += step.length;
  }
  return cuts;
}

} // namespace kimi::text
