#include "server/text/Tokenizer.h"

#include "server/text/BytePairMerge.h"
#include "server/text/Chunks.h"
#include "server/text/Json.h"
#include "server/text/PreTokenizer.h"
#include "server/text/SpecialTokens.h"
#include "server/text/Utf8.h"
#include "server/text/Vocabulary.h"

#include <algorithm>
#include <boost/json.hpp>
#include <fmt/format.h>

namespace kimi::text {

namespace json = boost::json;

struct Tokenizer::Parts {
  Vocabulary vocabulary;
  SpecialTokens specials;
  PreTokenizer preTokenizer;
  int32_t vocabSize;
};

namespace {

/// config.json of the multimodal releases keeps the language model's values one level down.
Expected<int64_t> readVocabSize(const json::object &config) {
  const json::value *value = config.if_contains("vocab_size");
  if (const json::value *nested = config.if_contains("text_config"); !value && nested && nested->is_object())
    value = nested->get_object().if_contains("vocab_size");
  if (!value || !value->is_int64() || value->get_int64() <= 0 || value->get_int64() > INT32_MAX)
    return failure(
        "has no vocab_size (a positive integer, at the top or in text_config); copy config.json from the "
        "checkpoint again");
  return value->get_int64();
}

/// One encode call: its working memory and its output.
class Encoder {
public:
  Encoder(const Vocabulary &vocabulary, const PreTokenizer &preTokenizer)
      : preTokenizer(preTokenizer), scratch(preTokenizer), merge(vocabulary) {}

  void append(TokenId id) { ids.push_back(id); }

  void appendText(std::string_view text) {
    for (size_t at = 0; at < text.size();) {
      const size_t length = preTokenizer.wordLength(text, at, scratch);
      merge.append(text.substr(at, length), ids);
      at += length;
    }
  }

  std::vector<TokenId> ids;

private:
  const PreTokenizer &preTokenizer;
  PreTokenizer::Scratch scratch;
  BytePairMerge merge;
};

/// Text with every piece joined, and where its control tokens lie.
struct MarkedText {
  struct Mark {
    size_t begin, end;
    TokenId id;
  };
  std::string text;
  std::vector<Mark> marks;
};

MarkedText join(std::span<const TextPiece> pieces, const SpecialTokens &specials) {
  MarkedText marked;
  for (const TextPiece &piece : pieces) {
    const size_t begin = marked.text.size();
    marked.text += isUtf8(piece.text) ? piece.text : replaceInvalidUtf8(piece.text);
    if (const SpecialToken *token = piece.isMarkup ? specials.find(piece.text) : nullptr)
      marked.marks.push_back({begin, marked.text.size(), token->id});
  }
  return marked;
}

} // namespace

TokenizerFiles TokenizerFiles::of(const std::filesystem::path &folder) {
  return {folder / "tiktoken.model", folder / "tokenizer_config.json", folder / "config.json"};
}

Expected<Tokenizer> Tokenizer::load(const std::filesystem::path &folder) {
  return load(TokenizerFiles::of(folder));
}

Expected<Tokenizer> Tokenizer::load(const TokenizerFiles &files) {
  TRY_ASSIGN(const json::object config, readJsonObject(files.config));
  const Expected<int64_t> vocabSize = readVocabSize(config);
  if (!vocabSize)
    return failure(files.config.string(), vocabSize.error());
  TRY_ASSIGN(const json::object tokenizerConfig, readJsonObject(files.tokenizerConfig));
  TRY_ASSIGN(Vocabulary vocabulary, Vocabulary::load(files.ranks));
  if (*vocabSize < vocabulary.size())
    return failure(
        fmt::format("{}: vocab_size is {} but {} has {} ranks; check that the two files belong together",
                    files.config.string(), *vocabSize, files.ranks.string(), vocabulary.size()));
  Expected<SpecialTokens> specials = SpecialTokens::read(tokenizerConfig, vocabulary.size(), *vocabSize);
  if (!specials)
    return failure(files.tokenizerConfig.string(), specials.error());
  TRY_ASSIGN(PreTokenizer preTokenizer, PreTokenizer::create());
  return Tokenizer(std::make_unique<const Parts>(std::move(vocabulary), std::move(*specials),
                                                 std::move(preTokenizer), int32_t(*vocabSize)));
}

Tokenizer::Tokenizer(std::unique_ptr<const Parts> parts) : parts(std::move(parts)) {}
Tokenizer::Tokenizer(Tokenizer &&) noexcept = default;
Tokenizer &Tokenizer::operator=(Tokenizer &&) noexcept = default;
Tokenizer::~Tokenizer() = default;

std::vector<TokenId> Tokenizer::encode(std::string_view text, Specials specials) const {
  if (!isUtf8(text))
    return encode(replaceInvalidUtf8(text), specials);
  Encoder encoder(parts->vocabulary, parts->preTokenizer);
  std::vector<size_t> ends = chunkCuts(text);
  ends.push_back(text.size());
  size_t begin = 0;
  for (size_t end : ends) {
    // Special tokens are looked for inside a chunk, as in the reference: a cut through one makes it ordinary
    // text.
    const std::string_view chunk = text.substr(begin, end - begin);
    size_t at = 0;
    while (specials == Specials::Recognised) {
      const auto found = parts->specials.findIn(chunk, at);
      if (!found)
        break;
      encoder.appendText(chunk.substr(at, found->offset - at));
      encoder.append(found->token->id);
      at = found->offset + found->token->text.size();
    }
    encoder.appendText(chunk.substr(at));
    begin = end;
  }
  return std::move(encoder.ids);
}

std::vector<TokenId> Tokenizer::encode(std::span<const TextPiece> prompt) const {
  const MarkedText marked = join(prompt, parts->specials);
  const std::string_view text = marked.text;
  // The cuts are those of the joined text, so a long prompt gets the reference's ids. Only a cut through a
  // control token is different: the token stays whole here.
  const std::vector<size_t> cuts = chunkCuts(text);
  auto cut = cuts.begin();
  Encoder encoder(parts->vocabulary, parts->preTokenizer);
  const auto appendText = [&](size_t at, size_t end) {
    for (; cut != cuts.end() && *cut < end; ++cut) {
      encoder.appendText(text.substr(at, std::max(*cut, at) - at));
      at = std::max(*cut, at);
    }
    encoder.appendText(text.substr(at, end - at));
  };
  size_t at = 0;
  for (const MarkedText::Mark &mark : marked.marks) {
    appendText(at, mark.begin);
    encoder.append(mark.id);
    at = mark.end;
  }
  appendText(at, text.size());
  return std::move(encoder.ids);
}

Expected<std::string> Tokenizer::decode(std::span<const TokenId> ids, bool skipSpecials) const {
  std::string joined;
  for (size_t i = 0; i < ids.size(); ++i) {
    const std::optional<std::string_view> piece = bytes(ids[i]);
    if (!piece)
      return failure(
          fmt::format("ids[{}] is {}, but the vocabulary has ids 0 to {}", i, ids[i], vocabSize() - 1));
    const SpecialToken *token = special(ids[i]);
    if (!(skipSpecials && token && token->isHidden))
      joined += *piece;
  }
  return replaceInvalidUtf8(joined);
}

std::optional<std::string_view> Tokenizer::bytes(TokenId id) const {
  if (id >= 0 && id < parts->vocabulary.size())
    return parts->vocabulary.bytes(id);
  if (const SpecialToken *token = special(id))
    return token->text;
  return std::nullopt;
}

const SpecialToken *Tokenizer::special(std::string_view name) const { return parts->specials.find(name); }
const SpecialToken *Tokenizer::special(TokenId id) const { return parts->specials.find(id); }
int32_t Tokenizer::vocabSize() const { return parts->vocabSize; }
int32_t Tokenizer::numRanks() const { return parts->vocabulary.size(); }

} // namespace kimi::text
