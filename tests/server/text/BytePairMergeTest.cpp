#include "server/text/BytePairMerge.h"

#include "tests/server/text/SmallModel.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <random>

namespace kimi::text {

namespace {

/// The definition, word for word: quadratic and obvious.
std::vector<int32_t> mergePlainly(const Vocabulary &vocabulary, std::string_view word) {
  // A word that is a token stays whole, even when no merges lead to it.
  if (const int32_t whole = vocabulary.rank(word); whole != Vocabulary::kNoRank)
    return {whole};
  std::vector<std::string> parts;
  for (char c : word)
    parts.emplace_back(1, c);
  while (true) {
    size_t best = 0;
    int32_t bestRank = Vocabulary::kNoRank;
    for (size_t i = 0; i + 1 < parts.size(); ++i)
      if (const int32_t rank = vocabulary.rank(parts[i] + parts[i + 1]); rank < bestRank)
        best = i, bestRank = rank;
    if (bestRank == Vocabulary::kNoRank)
      break;
    parts[best] += parts[best + 1];
    parts.erase(parts.begin() + ptrdiff_t(best) + 1);
  }
  std::vector<int32_t> ranks;
  for (const std::string &part : parts)
    ranks.push_back(vocabulary.rank(part));
  return ranks;
}

/// Bytes and every string of a, b and c up to length 4 in a shuffled order, so that merges often compete.
Vocabulary shuffledVocabulary(std::mt19937 &random) {
  std::vector<std::string> tokens;
  for (const std::string first : {"a", "b", "c"})
    for (const std::string second : {"a", "b", "c"})
      for (const std::string third : {"", "a", "b", "c"})
        for (const std::string fourth : {"", "a", "b", "c"})
          if (!third.empty() || fourth.empty())
            tokens.push_back(first + second + third + fourth);
  std::shuffle(tokens.begin(), tokens.end(), random);
  tokens.resize(tokens.size() / 2);
  const TemporaryFolder folder;
  std::string lines;
  for (int byte = 0; byte < 256; ++byte)
    lines += base64(std::string(1, char(byte))) + " " + std::to_string(byte) + "\n";
  for (size_t i = 0; i < tokens.size(); ++i)
    lines += base64(tokens[i]) + " " + std::to_string(256 + i) + "\n";
  folder.write("ranks", lines);
  return *Vocabulary::load(folder.path() / "ranks");
}

} // namespace

TEST(BytePairMerge, ShortAndLongWordsFollowTheDefinition) {
  std::mt19937 random(1);
  for (int round = 0; round < 20; ++round) {
    const Vocabulary vocabulary = shuffledVocabulary(random);
    BytePairMerge merge(vocabulary);
    for (const size_t length : {1, 2, 3, 10, 47, 48, 49, 50, 200}) {
      std::string word;
      while (word.size() < length)
        word += char('a' + random() % 3);
      std::vector<int32_t> ranks;
      merge.append(word, ranks);
      EXPECT_EQ(ranks, mergePlainly(vocabulary, word)) << word;
    }
  }
}

TEST(BytePairMerge, AppendsAndKeepsWhatIsThere) {
  std::mt19937 random(1);
  const Vocabulary vocabulary = shuffledVocabulary(random);
  std::vector<int32_t> ranks = {7};
  BytePairMerge(vocabulary).append("x", ranks);
  EXPECT_EQ(ranks, std::vector<int32_t>({7, 'x'}));
}

} // namespace kimi::text
