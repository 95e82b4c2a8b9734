// A prompt is a run of pieces: markup that the chat layout writes, and text that somebody else wrote.
#pragma once

#include <string>

namespace kimi::text {

/// Markup is trusted and becomes one control token; anything else is ordinary text, whatever it spells.
struct TextPiece {
  std::string text; // UTF-8
  bool isMarkup = false;
};

} // namespace kimi::text
