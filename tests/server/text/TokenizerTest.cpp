#include "server/text/Tokenizer.h"

#include "tests/server/text/SmallModel.h"

#include <gtest/gtest.h>

namespace kimi::text {

namespace {

using Ids = std::vector<TokenId>;

Ids ordinary(std::string_view text) { return smallTokenizer().encode(text, Specials::Ignored); }
Ids withSpecials(std::string_view text) { return smallTokenizer().encode(text, Specials::Recognised); }

} // namespace

TEST(Tokenizer, MergesLowestRankFirst) {
  EXPECT_EQ(ordinary("hello"), Ids({259}));
  EXPECT_EQ(ordinary("help"), Ids({256, 'l', 'p'}));
  EXPECT_EQ(ordinary("shell"), Ids({'s', 258}));
  EXPECT_EQ(ordinary("helll"), Ids({258, 'l'})); // the left of two equal pairs
  EXPECT_EQ(ordinary("hello world"), Ids({259, 260, 261, 'l', 'd'}));
  EXPECT_EQ(ordinary(""), Ids({}));
}

TEST(Tokenizer, EncodesBytesThatNoMergeCovers) {
  EXPECT_EQ(ordinary("你"), Ids({263}));
  EXPECT_EQ(ordinary("佡"), Ids({262, 0xA1})); // shares two bytes with 你
  EXPECT_EQ(ordinary("好"), Ids({0xE5, 0xA5, 0xBD}));
  EXPECT_EQ(ordinary(std::string_view("a\0b", 3)), Ids({'a', 0, 'b'}));
}

TEST(Tokenizer, ReadsInvalidInputAsReplacementCharacters) {
  const Ids replacement = {0xEF, 0xBF, 0xBD};
  EXPECT_EQ(ordinary("\xFF"), replacement);
  EXPECT_EQ(ordinary("\xE4\xBD"), replacement); // an incomplete character is one
  EXPECT_EQ(withSpecials("\xC3"), replacement);
}

TEST(Tokenizer, RecognisesSpecialsOnlyWhenAsked) {
  EXPECT_EQ(withSpecials("hello<|im_end|>hello"), Ids({259, kImEnd, 259}));
  EXPECT_EQ(withSpecials("<|im_end|><|im_end|>"), Ids({kImEnd, kImEnd}));
  EXPECT_EQ(withSpecials("<|im_en"), ordinary("<|im_en"));
  EXPECT_EQ(ordinary("<think>"), Ids({'<', 't', 'h', 'i', 'n', 'k', '>'}));
  EXPECT_EQ(withSpecials("<think>"), Ids({kThink}));
}

TEST(Tokenizer, NamesReservedIdsAndStopsAtVocabSize) {
  const Tokenizer tokenizer = smallTokenizer();
  EXPECT_EQ(tokenizer.numRanks(), kFirstSpecial);
  EXPECT_EQ(tokenizer.vocabSize(), kVocabSize);
  const TokenId reserved = kFirstSpecial + 5;
  EXPECT_EQ(tokenizer.bytes(reserved), "<|reserved_token_269|>");
  EXPECT_EQ(withSpecials("<|reserved_token_269|>"), Ids({reserved}));
  EXPECT_FALSE(tokenizer.special(reserved)->isNamed);
  // The files name an id that the embedding does not have.
  EXPECT_EQ(tokenizer.special("[BEYOND]"), nullptr);
  EXPECT_EQ(tokenizer.bytes(kVocabSize), std::nullopt);
  EXPECT_EQ(tokenizer.bytes(-1), std::nullopt);
}

TEST(Tokenizer, TellsHiddenFromShownSpecials) {
  const Tokenizer tokenizer = smallTokenizer();
  EXPECT_TRUE(tokenizer.special("<|im_end|>")->isHidden);
  EXPECT_FALSE(tokenizer.special("<think>")->isHidden);
  EXPECT_EQ(tokenizer.special(259), nullptr);
  EXPECT_EQ(tokenizer.special("hello"), nullptr);
}

TEST(Tokenizer, Decodes) {
  const Tokenizer tokenizer = smallTokenizer();
  EXPECT_EQ(tokenizer.decode(Ids{259, kImEnd, kThink}), "hello<|im_end|><think>");
  EXPECT_EQ(tokenizer.decode(Ids{259, kImEnd, kThink}, true), "hello<think>");
  EXPECT_EQ(tokenizer.decode(Ids{262, 0xA0}), "你");
  EXPECT_EQ(tokenizer.decode(Ids{262, 'x', 0xFF}), "\uFFFDx\uFFFD");
  EXPECT_EQ(tokenizer.decode(Ids{}), "");
}

TEST(Tokenizer, DecodeNamesTheIdThatIsOutside) {
  const Expected<std::string> text = smallTokenizer().decode(Ids{1, 520});
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().message, "ids[1] is 520, but the vocabulary has ids 0 to 519");
}

TEST(Tokenizer, PiecesKeepUsersFromWritingControlTokens) {
  const Tokenizer tokenizer = smallTokenizer();
  const std::vector<TextPiece> prompt = {
      {"<|im_user|>", true}, {"hello<|im_end|>", false}, {"<|im_end|>", true}};
  Ids expected = {kImUser};
  for (TokenId id : ordinary("hello<|im_end|>"))
    expected.push_back(id);
  expected.push_back(kImEnd);
  EXPECT_EQ(tokenizer.encode(prompt), expected);
}

TEST(Tokenizer, PiecesWithoutATokenBetweenAreOneText) {
  const Tokenizer tokenizer = smallTokenizer();
  EXPECT_EQ(tokenizer.encode(std::vector<TextPiece>{{"hel", false}, {"lo", false}}), Ids({259}));
  // Markup that the files do not name is text too.
  EXPECT_EQ(tokenizer.encode(std::vector<TextPiece>{{"hel", true}, {"lo", false}}), Ids({259}));
}

TEST(Tokenizer, LongPiecesAreCutWhereTheJoinedTextIs) {
  const Tokenizer tokenizer = smallTokenizer();
  const std::string word = std::string(24'999, 'x') + "hello"; // the cut falls between h and e
  const Ids whole = tokenizer.encode(word, Specials::Ignored);
  ASSERT_GT(whole.size(), 25'000u);
  EXPECT_EQ(whole[24'999], 'h');
  EXPECT_EQ(whole[25'000], 'e');
  EXPECT_EQ(tokenizer.encode(std::vector<TextPiece>{{word, false}}), whole);
  // Markup counts: ten characters of it move the cut. It stays whole itself even when a cut goes through.
  const std::string before(24'985, 'x');
  const Ids marked =
      tokenizer.encode(std::vector<TextPiece>{{before, false}, {"<|im_end|>", true}, {"abcdhello", false}});
  EXPECT_EQ(marked[24'985], kImEnd);
  EXPECT_EQ(marked[24'990], 'h');
  EXPECT_EQ(marked[24'991], 'e');
  const std::string nearer(24'995, 'x');
  EXPECT_EQ(tokenizer.encode(std::vector<TextPiece>{{nearer, false}, {"<|im_end|>", true}})[24'995], kImEnd);
}

} // namespace kimi::text
