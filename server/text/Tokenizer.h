// The Kimi-K2 tokenizer: byte-pair ranks from tiktoken.model, special tokens from tokenizer_config.json.
//
//   auto tokenizer = kimi::text::Tokenizer::load("model.kimi");
//   std::vector<TokenId> ids = tokenizer->encode("Hello", Specials::Ignored);
//   Expected<std::string> text = tokenizer->decode(ids);
//
// Thread rule: a loaded Tokenizer never changes; any number of threads may use one.
#pragma once

#include "runtime/base/Status.h"
#include "server/text/TextPiece.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kimi::text {

/// As the runtime's step inputs hold it. Valid ids are 0 <= id < vocabSize().
using TokenId = int32_t;

/// What encode does with text that spells a special token.
enum class Specials {
  Ignored,    // it is ordinary text (what other people wrote must never become a control token)
  Recognised, // it becomes that token's id, as Hugging Face's encode does
};

/// One id above the ranks. Ids that tokenizer_config.json does not name are called <|reserved_token_{id}|>.
struct SpecialToken {
  TokenId id = 0;
  std::string text;
  bool isNamed = false;  // the checkpoint's files name it
  bool isHidden = false; // "special": true in the files; decoding with skipSpecials leaves it out
};

/// Where the three files are; of() takes a checkpoint's or an artifact's folder.
struct TokenizerFiles {
  std::filesystem::path ranks;           // tiktoken.model
  std::filesystem::path tokenizerConfig; // tokenizer_config.json
  std::filesystem::path config;          // config.json: vocab_size, at the top or in text_config

  static TokenizerFiles of(const std::filesystem::path &folder);
};

class Tokenizer {
public:
  /// Errors name the file, the line or key, what stood there and what belongs there.
  static Expected<Tokenizer> load(const std::filesystem::path &folder);
  static Expected<Tokenizer> load(const TokenizerFiles &files);

  /// Never fails: bytes that are not UTF-8 are read as U+FFFD. Nothing is added at either end.
  std::vector<TokenId> encode(std::string_view text, Specials specials) const;

  /// A rendered prompt: markup pieces that name a special token become its id, everything else is text with
  /// specials ignored. The text on both sides of a piece border without a token between them is encoded as
  /// one.
  std::vector<TokenId> encode(std::span<const TextPiece> prompt) const;

  /// The ids' bytes joined, then read as UTF-8 with U+FFFD for what is not. Fails for an id outside the
  /// vocabulary.
  Expected<std::string> decode(std::span<const TokenId> ids, bool skipSpecials = false) const;

  /// The bytes of one id, maybe not UTF-8 by themselves; nullopt outside the vocabulary.
  std::optional<std::string_view> bytes(TokenId id) const;

  /// The special token of that name or id, or nullptr.
  const SpecialToken *special(std::string_view name) const;
  const SpecialToken *special(TokenId id) const;

  int32_t vocabSize() const; // ranks and specials together: the embedding's rows
  int32_t numRanks() const;

  Tokenizer(Tokenizer &&) noexcept;
  Tokenizer &operator=(Tokenizer &&) noexcept;
  ~Tokenizer();

private:
  struct Parts;
  explicit Tokenizer(std::unique_ptr<const Parts> parts);
  std::unique_ptr<const Parts> parts;
};

} // namespace kimi::text
