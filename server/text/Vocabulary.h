// The byte-pair ranks of tiktoken.model: bytes to rank and back.
//
// Thread rule: never changes after load; any number of threads may use one.
#pragma once

#include "runtime/base/Status.h"

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace kimi::text {

/// Ranks are 0 … size()-1 without gaps; every single byte has one. All token bytes lie in one arena, and
/// ranks are found through one open-addressing table over it: loading makes a handful of allocations, not one
/// per token.
class Vocabulary {
public:
  static constexpr int32_t kNoRank =
      INT32_MAX; // larger than any rank, so "lowest rank first" needs no special case

  /// `file`: one line per token, its bytes in base64, a space, its rank.
  static Expected<Vocabulary> load(const std::filesystem::path &file);

  int32_t size() const { return int32_t(tokens.size()); }
  int32_t rank(std::string_view bytes) const;
  int32_t rankOfByte(uint8_t byte) const { return byteRanks[byte]; }
  std::string_view bytes(int32_t rank) const { return view(tokens[rank]); }
  size_t longestToken() const { return maxLength; }

private:
  struct Token {
    uint32_t offset = 0;
    uint32_t length = 0; // 0: not seen yet
  };
  struct Slot {
    uint32_t tag = 0;
    int32_t rank = kNoRank;
  };

  std::string_view view(Token token) const { return {arena.data() + token.offset, token.length}; }
  Status readLines(std::string_view text);
  Status placeRank(Token token, int64_t rank, size_t lineNumber);
  Status indexTokens();
  Status findBytes();

  std::string arena;
  std::vector<Token> tokens; // by rank
  std::vector<Slot> slots;   // a power of two, at most half full
  std::array<int32_t, 256> byteRanks{};
  size_t maxLength = 0;
};

} // namespace kimi::text
