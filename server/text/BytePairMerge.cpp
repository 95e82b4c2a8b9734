#include "server/text/BytePairMerge.h"

#include <algorithm>
#include <functional>

namespace kimi::text {

namespace {

// Below this a scan over all pairs beats a queue.
constexpr size_t kShortWord = 48;

constexpr uint64_t entry(int32_t rank, uint32_t left) { return uint64_t(rank) << 32 | left; }

} // namespace

void BytePairMerge::append(std::string_view word, std::vector<int32_t> &ranks) {
  if (const int32_t whole = vocabulary->rank(word); whole != Vocabulary::kNoRank) {
    ranks.push_back(whole);
    return;
  }
  start(word);
  if (word.size() <= kShortWord)
    mergeShort(word);
  else
    mergeLong(word);
  for (uint32_t at = 0; at < word.size(); at = parts[at].next)
    ranks.push_back(parts[at].rank);
}

void BytePairMerge::start(std::string_view word) {
  const uint32_t size = uint32_t(word.size());
  parts.resize(size);
  for (uint32_t at = 0; at < size; ++at)
    parts[at] = {at - 1, at + 1, vocabulary->rankOfByte(uint8_t(word[at])), Vocabulary::kNoRank};
  for (uint32_t at = 0; at + 1 < size; ++at)
    parts[at].pairRank = pairRank(word, at);
}

void BytePairMerge::mergeShort(std::string_view word) {
  while (true) {
    uint32_t best = 0;
    for (uint32_t at = parts[0].next; at < word.size(); at = parts[at].next)
      if (parts[at].pairRank < parts[best].pairRank)
        best = at;
    if (parts[best].pairRank == Vocabulary::kNoRank)
      return;
    merge(word, best);
  }
}

void BytePairMerge::mergeLong(std::string_view word) {
  const auto push = [&](uint32_t left) {
    if (parts[left].pairRank == Vocabulary::kNoRank)
      return;
    queue.push_back(entry(parts[left].pairRank, left));
    std::ranges::push_heap(queue, std::greater());
  };
  queue.clear();
  for (uint32_t at = 0; at < word.size(); ++at)
    push(at);
  while (!queue.empty()) {
    std::ranges::pop_heap(queue, std::greater());
    const uint64_t lowest = queue.back();
    queue.pop_back();
    // An entry whose pair has changed since is out of date; the new pair has its own entry.
    const uint32_t left = uint32_t(lowest);
    if (lowest != entry(parts[left].pairRank, left))
      continue;
    merge(word, left);
    push(left);
    if (left != 0)
      push(parts[left].previous);
  }
}

/// Joins the part at `left` with the next one.
void BytePairMerge::merge(std::string_view word, uint32_t left) {
  Part &part = parts[left];
  Part &gone = parts[part.next];
  part.rank = part.pairRank;
  part.next = gone.next;
  gone.pairRank = Vocabulary::kNoRank;
  if (part.next < word.size())
    parts[part.next].previous = left;
  part.pairRank = pairRank(word, left);
  if (left != 0)
    parts[part.previous].pairRank = pairRank(word, part.previous);
}

int32_t BytePairMerge::pairRank(std::string_view word, uint32_t left) const {
  const uint32_t right = parts[left].next;
  if (right >= word.size())
    return Vocabulary::kNoRank;
  return vocabulary->rank(word.substr(left, parts[right].next - left));
}

} // namespace kimi::text
