#include "server/text/Vocabulary.h"

#include "server/text/Base64.h"
#include "server/text/FileText.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <fmt/format.h>

namespace kimi::text {

namespace {

/// Eight bytes a step; tokens are short and hashing is what the merge loop does most.
uint64_t hashOf(std::string_view bytes) {
  constexpr uint64_t kOdd = 0x9E3779B97F4A7C15;
  uint64_t hash = bytes.size() * kOdd;
  while (bytes.size() >= 8) {
    uint64_t word;
    std::memcpy(&word, bytes.data(), 8);
    hash = (hash ^ word) * kOdd;
    hash ^= hash >> 32;
    bytes.remove_prefix(8);
  }
  uint64_t word = 0;
  std::memcpy(&word, bytes.data(), bytes.size());
  hash = (hash ^ word) * kOdd;
  hash ^= hash >> 29;
  return hash * kOdd;
}

uint32_t tagOf(uint64_t hash) { return uint32_t(hash); }
size_t slotOf(uint64_t hash, size_t numSlots) { return size_t(hash >> 32) & (numSlots - 1); }

/// Long enough to recognise a line in an editor, short enough for an error in one line.
std::string quoteShortly(std::string_view line) {
  constexpr size_t kShown = 40;
  std::string shown;
  for (char c : line.substr(0, kShown))
    shown += c >= 0x20 && c < 0x7F ? c : '?';
  return fmt::format("\"{}{}\"", shown, line.size() > kShown ? "…" : "");
}

std::unexpected<Error> badLine(size_t lineNumber, std::string_view found, std::string_view expected) {
  return failure(fmt::format("line {}: found {}, expected {}; copy tiktoken.model from the checkpoint again",
                             lineNumber, found, expected));
}

} // namespace

Expected<Vocabulary> Vocabulary::load(const std::filesystem::path &file) {
  TRY_ASSIGN(const std::string text, readFile(file));
  Vocabulary vocabulary;
  Status status = vocabulary.readLines(text);
  if (status)
    status = vocabulary.indexTokens();
  if (status)
    status = vocabulary.findBytes();
  if (!status)
    return failure(file.string(), status.error());
  return vocabulary;
}

Status Vocabulary::readLines(std::string_view text) {
  const size_t maxLines = size_t(std::count(text.begin(), text.end(), '\n')) + 1;
  tokens.reserve(maxLines);
  arena.reserve(text.size() / 2);
  size_t lineNumber = 0;
  while (!text.empty()) {
    ++lineNumber;
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r'))
      line.remove_suffix(1);
    if (line.empty())
      continue;
    const size_t space = line.find(' ');
    const uint32_t offset = uint32_t(arena.size());
    if (space == std::string_view::npos || space == 0 || !appendBase64(line.substr(0, space), arena))
      return badLine(lineNumber, quoteShortly(line), "base64, one space and a rank");
    int64_t rank = -1;
    const char *const last = line.data() + line.size();
    const auto [stop, error] = std::from_chars(line.data() + space + 1, last, rank);
    // Ranks have no gaps, so none reaches the number of lines. This also bounds what a bad file makes us
    // allocate.
    if (error != std::errc() || stop != last || rank < 0 || rank >= int64_t(maxLines))
      return badLine(lineNumber, quoteShortly(line), fmt::format("a rank from 0 to {}", maxLines - 1));
    TRY(placeRank({offset, uint32_t(arena.size() - offset)}, rank, lineNumber));
  }
  const auto gap = std::ranges::find(tokens, 0u, &Token::length);
  if (gap != tokens.end())
    return failure(fmt::format("has no line for rank {} but one for rank {}; ranks must have no gaps: copy "
                               "tiktoken.model from the checkpoint again",
                               gap - tokens.begin(), tokens.size() - 1));
  return {};
}

Status Vocabulary::placeRank(Token token, int64_t rank, size_t lineNumber) {
  if (size_t(rank) >= tokens.size())
    tokens.resize(size_t(rank) + 1);
  if (tokens[rank].length != 0)
    return badLine(lineNumber, fmt::format("rank {} a second time", rank), "each rank once");
  tokens[rank] = token;
  maxLength = std::max(maxLength, size_t(token.length));
  return {};
}

Status Vocabulary::indexTokens() {
  slots.assign(std::bit_ceil(2 * tokens.size() + 2), {});
  for (int32_t rank = 0; rank < size(); ++rank) {
    const uint64_t hash = hashOf(bytes(rank));
    size_t at = slotOf(hash, slots.size());
    for (; slots[at].rank != kNoRank; at = (at + 1) & (slots.size() - 1))
      if (slots[at].tag == tagOf(hash) && bytes(slots[at].rank) == bytes(rank))
        return failure(fmt::format("ranks {} and {} have the same bytes; each token must stand once: copy "
                                   "tiktoken.model from the checkpoint again",
                                   slots[at].rank, rank));
    slots[at] = {tagOf(hash), rank};
  }
  return {};
}

Status Vocabulary::findBytes() {
  for (int byte = 0; byte < 256; ++byte) {
    const char text = char(byte);
    byteRanks[byte] = rank({&text, 1});
    if (byteRanks[byte] == kNoRank)
      return failure(
          fmt::format("has no token for the single byte 0x{:02X}; all 256 are needed to encode any text: "
                      "copy tiktoken.model from the checkpoint again",
                      byte));
  }
  return {};
}

int32_t Vocabulary::rank(std::string_view bytes) const {
  if (bytes.size() > maxLength)
    return kNoRank;
  const uint64_t hash = hashOf(bytes);
  for (size_t at = slotOf(hash, slots.size()); slots[at].rank != kNoRank; at = (at + 1) & (slots.size() - 1))
    if (slots[at].tag == tagOf(hash) && this->bytes(slots[at].rank) == bytes)
      return slots[at].rank;
  return kNoRank;
}

} // namespace kimi::text
