#include "server/text/ChatFormat.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace kimi::text {

namespace {

// In the order of ChatLayout.
constexpr std::array<std::string_view, 4> kNames = {"k2-2025-07-11", "k2-instruct-0905", "k2-thinking",
                                                    "k2.5"};

} // namespace

std::string Prompt::text() const {
  std::string joined;
  for (const TextPiece &piece : pieces)
    joined += piece.text;
  return joined;
}

std::span<const std::string_view> ChatFormat::names() { return kNames; }

Expected<ChatFormat> ChatFormat::named(std::string_view name) {
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end())
    return failure(
        fmt::format("unknown chat format \"{}\"; choose one of: {}", name, fmt::join(kNames, ", ")));
  return ChatFormat(ChatLayout(found - kNames.begin()));
}

std::string_view ChatFormat::name() const { return kNames[size_t(chatLayout)]; }

} // namespace kimi::text
