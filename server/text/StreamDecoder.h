// Turns ids into text while they arrive, never splitting a character.
//
// Thread rule: one thread at a time; the Tokenizer must outlive it.
#pragma once

#include "server/text/Tokenizer.h"

#include <string>

namespace kimi::text {

/// All that push and finish return, joined, equals Tokenizer::decode of the same ids.
class StreamDecoder {
public:
  explicit StreamDecoder(const Tokenizer &tokenizer, bool skipSpecials = false)
      : tokenizer(&tokenizer), skipSpecials(skipSpecials) {}

  /// The text that this id completes; empty while a character is still missing bytes. An id outside the
  /// vocabulary adds nothing: the engine cannot sample one, and a stream is no place to fail.
  std::string push(TokenId id);

  /// At the end of the stream: bytes that no character claimed, as one U+FFFD. The decoder is then as new.
  std::string finish();

  /// Whether bytes of an unfinished character are held back.
  bool holdsBytes() const { return !held.empty(); }

private:
  const Tokenizer *tokenizer;
  bool skipSpecials;
  std::string held;
};

} // namespace kimi::text
