#include "server/text/Base64.h"

#include <array>
#include <cstdint>

namespace kimi::text {

namespace {

constexpr uint8_t kNotADigit = 0xFF;

constexpr std::array<uint8_t, 256> makeDigits() {
  std::array<uint8_t, 256> digits{};
  digits.fill(kNotADigit);
  for (int i = 0; i < 26; ++i) {
    digits['A' + i] = uint8_t(i);
    digits['a' + i] = uint8_t(26 + i);
  }
  for (int i = 0; i < 10; ++i)
    digits['0' + i] = uint8_t(52 + i);
  digits['+'] = 62;
  digits['/'] = 63;
  return digits;
}

constexpr std::array<uint8_t, 256> kDigits = makeDigits();

} // namespace

bool appendBase64(std::string_view text, std::string &bytes) {
  if (text.size() % 4 != 0)
    return false;
  size_t numPadding = 0;
  while (numPadding < 2 && numPadding < text.size() && text[text.size() - 1 - numPadding] == '=')
    ++numPadding;
  const size_t numDigits = text.size() - numPadding;
  const size_t oldSize = bytes.size();
  uint32_t window = 0;
  for (size_t i = 0; i < numDigits; ++i) {
    const uint8_t digit = kDigits[uint8_t(text[i])];
    if (digit == kNotADigit) {
      bytes.resize(oldSize);
      return false;
    }
    window = window << 6 | digit;
    if (i % 4 != 0) // the 2nd, 3rd and 4th digit of a quad each complete a byte
      bytes.push_back(char(window >> (6 - 2 * (i % 4)) & 0xFF));
  }
  return true;
}

} // namespace kimi::text
