#include "server/text/StreamDecoder.h"

#include "server/text/Utf8.h"
#include "tests/server/text/SmallModel.h"

#include <gtest/gtest.h>
#include <random>

namespace kimi::text {

TEST(StreamDecoder, HoldsBackAnUnfinishedCharacter) {
  const Tokenizer tokenizer = smallTokenizer();
  StreamDecoder decoder(tokenizer);
  EXPECT_EQ(decoder.push(259), "hello");
  EXPECT_EQ(decoder.push(262), "");
  EXPECT_TRUE(decoder.holdsBytes());
  EXPECT_EQ(decoder.push(0xA0), "你");
  EXPECT_FALSE(decoder.holdsBytes());
  EXPECT_EQ(decoder.finish(), "");
}

TEST(StreamDecoder, ReplacesWhatCannotBecomeACharacter) {
  const Tokenizer tokenizer = smallTokenizer();
  StreamDecoder decoder(tokenizer);
  EXPECT_EQ(decoder.push(262), "");
  EXPECT_EQ(decoder.push('x'), "\uFFFDx");
  EXPECT_EQ(decoder.push(0xFF), "\uFFFD");
  EXPECT_EQ(decoder.push(0xF0), "");
  EXPECT_EQ(decoder.finish(), "\uFFFD");
  EXPECT_EQ(decoder.push('y'), "y"); // as new
}

TEST(StreamDecoder, SkipsHiddenSpecialsAndIdsOutside) {
  const Tokenizer tokenizer = smallTokenizer();
  StreamDecoder decoder(tokenizer, /*skipSpecials=*/true);
  EXPECT_EQ(decoder.push(kImEnd), "");
  EXPECT_EQ(decoder.push(kThink), "<think>");
  EXPECT_EQ(decoder.push(kVocabSize), "");
  EXPECT_EQ(StreamDecoder(tokenizer).push(kImEnd), "<|im_end|>");
}

TEST(StreamDecoder, JoinedPiecesEqualDecode) {
  const Tokenizer tokenizer = smallTokenizer();
  std::mt19937 random(3);
  for (int round = 0; round < 2000; ++round) {
    std::vector<TokenId> ids;
    while (ids.size() < 12) // mostly bytes from 0x80 on, where it gets interesting
      ids.push_back(TokenId(random() % 4 == 0 ? random() % kVocabSize : 0x80 + random() % 0x80));
    StreamDecoder decoder(tokenizer);
    std::string joined;
    for (TokenId id : ids) {
      const std::string text = decoder.push(id);
      EXPECT_TRUE(isUtf8(text));
      joined += text;
    }
    EXPECT_EQ(joined + decoder.finish(), *tokenizer.decode(ids));
  }
}

TEST(Utf8, ReplacesAsPythonDoes) {
  EXPECT_EQ(replaceInvalidUtf8("a\xE4\xB8"
                               "b"),
            "a\uFFFDb");                                               // one for the longest prefix
  EXPECT_EQ(replaceInvalidUtf8("\xF0\x80\x80"), "\uFFFD\uFFFD\uFFFD"); // overlong: not a prefix of anything
  EXPECT_EQ(replaceInvalidUtf8("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD"); // a surrogate
  EXPECT_EQ(replaceInvalidUtf8("\xF4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(replaceInvalidUtf8("\xC0\xAF"), "\uFFFD\uFFFD");
  EXPECT_EQ(replaceInvalidUtf8("\xF0\x9F\x98"), "\uFFFD");
  EXPECT_EQ(replaceInvalidUtf8("é你😀"), "é你😀");
}

} // namespace kimi::text
