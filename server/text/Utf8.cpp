#include "server/text/Utf8.h"

#include <cstdint>

namespace kimi::text {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// How many bytes a lead byte announces and what its second byte may be (Unicode, table 3-7).
struct Lead {
  size_t length;
  uint8_t secondLow, secondHigh;
};

Lead leadOf(uint8_t byte) {
  if (byte < 0xC2 || byte > 0xF4)
    return {1, 0, 0};
  if (byte < 0xE0)
    return {2, 0x80, 0xBF};
  if (byte < 0xF0)
    return {3, uint8_t(byte == 0xE0 ? 0xA0 : 0x80), uint8_t(byte == 0xED ? 0x9F : 0xBF)};
  return {4, uint8_t(byte == 0xF0 ? 0x90 : 0x80), uint8_t(byte == 0xF4 ? 0x8F : 0xBF)};
}

/// Appends to `text`; returns how many bytes at the end are an incomplete character.
size_t appendSettled(std::string_view bytes, std::string &text) {
  size_t at = 0;
  while (at < bytes.size()) {
    const size_t runStart = at;
    while (at < bytes.size() && uint8_t(bytes[at]) < 0x80)
      ++at;
    text.append(bytes, runStart, at - runStart);
    if (at == bytes.size())
      break;
    const Utf8Step step = nextUtf8(bytes.substr(at));
    if (step.kind == Utf8Step::Kind::Incomplete)
      return bytes.size() - at;
    text.append(step.kind == Utf8Step::Kind::Character ? bytes.substr(at, step.length) : kReplacement);
    at += step.length;
  }
  return 0;
}

} // namespace

Utf8Step nextUtf8(std::string_view bytes) {
  using Kind = Utf8Step::Kind;
  const auto byteAt = [&](size_t i) { return uint8_t(bytes[i]); };
  const uint8_t first = byteAt(0);
  if (first < 0x80)
    return {Kind::Character, 1, first};
  const Lead lead = leadOf(first);
  if (lead.length == 1)
    return {Kind::Invalid, 1, 0};
  char32_t codePoint = first & (0x7F >> lead.length);
  for (size_t i = 1; i < lead.length; ++i) {
    if (i == bytes.size())
      return {Kind::Incomplete, i, 0};
    const uint8_t low = i == 1 ? lead.secondLow : 0x80;
    const uint8_t high = i == 1 ? lead.secondHigh : 0xBF;
    if (byteAt(i) < low || byteAt(i) > high)
      return {Kind::Invalid, i, 0};
    codePoint = codePoint << 6 | (byteAt(i) & 0x3F);
  }
  return {Kind::Character, lead.length, codePoint};
}

bool isUtf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const Utf8Step step = nextUtf8(bytes);
    if (step.kind != Utf8Step::Kind::Character)
      return false;
    bytes.remove_prefix(step.length);
  }
  return true;
}

std::string replaceInvalidUtf8(std::string_view bytes) {
  SettledText settled = settleUtf8(bytes);
  if (!settled.held.empty())
    settled.text += kReplacement;
  return std::move(settled.text);
}

SettledText settleUtf8(std::string_view bytes) {
  SettledText settled;
  settled.text.reserve(bytes.size());
  const size_t numHeld = appendSettled(bytes, settled.text);
  settled.held = bytes.substr(bytes.size() - numHeld);
  return settled;
}

} // namespace kimi::text
