// Byte-pair merging of one word: again and again the adjacent pair with the lowest rank, the leftmost of
// equals.
//
// Thread rule: one thread at a time per object.
#pragma once

#include "server/text/Vocabulary.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace kimi::text {

/// Keeps its working memory between words.
class BytePairMerge {
public:
  explicit BytePairMerge(const Vocabulary &vocabulary) : vocabulary(&vocabulary) {}

  /// Appends the word's ranks. `word` is not empty. Time grows as n log n with the word's bytes.
  void append(std::string_view word, std::vector<int32_t> &ranks);

private:
  /// The word's bytes from `begin` to the next part, and the pair that this part makes with the next one.
  struct Part {
    uint32_t previous, next; // indices of parts, which are the offsets of their first bytes
    int32_t rank;            // of the part itself
    int32_t pairRank;        // kNoRank: no such token, or the part is gone
  };

  void start(std::string_view word);
  void mergeShort(std::string_view word);
  void mergeLong(std::string_view word);
  void merge(std::string_view word, uint32_t left);
  int32_t pairRank(std::string_view word, uint32_t left) const;

  const Vocabulary *vocabulary;
  std::vector<Part> parts;
  std::vector<uint64_t> queue; // rank << 32 | left offset, smallest first
};

} // namespace kimi::text
