#include "server/text/PreTokenizer.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace kimi::text {

namespace {

using Words = std::vector<std::string>;

Words words(std::string_view text) {
  static const Expected<PreTokenizer> preTokenizer = PreTokenizer::create();
  PreTokenizer::Scratch scratch(*preTokenizer);
  Words out;
  for (size_t at = 0; at < text.size(); at += out.back().size())
    out.emplace_back(text.substr(at, preTokenizer->wordLength(text, at, scratch)));
  return out;
}

} // namespace

TEST(PreTokenizer, LettersBreakWhereCaseRises) {
  EXPECT_EQ(words("McDonald's HTTPServer"), Words({"Mc", "Donald's", " HTTPServer"}));
  EXPECT_EQ(words("I'LL don't x'y"), Words({"I'LL", " don't", " x", "'y"}));
  EXPECT_EQ(words("-word (paren)"), Words({"-word", " (", "paren", ")"}));
}

TEST(PreTokenizer, HanIsItsOwnWord) {
  EXPECT_EQ(words("abc你好def"), Words({"abc", "你好", "def"}));
  // Script Han, not Script_Extensions: 、 is punctuation, 々 and 〇 are Han.
  EXPECT_EQ(words("時々、〇"), Words({"時々", "、", "〇"}));
  EXPECT_EQ(words("ひらがなカナ"), Words({"ひらがなカナ"}));
}

TEST(PreTokenizer, NumbersComeInThrees) {
  EXPECT_EQ(words("1234567"), Words({"123", "456", "7"}));
  EXPECT_EQ(words("a1 22"), Words({"a", "1", " ", "22"}));
}

TEST(PreTokenizer, Spaces) {
  EXPECT_EQ(words("a   b"), Words({"a", "  ", " b"}));
  EXPECT_EQ(words("a \n\n b  "), Words({"a", " \n\n", " b", "  "}));
  EXPECT_EQ(words("!!\n\nx"), Words({"!!\n\n", "x"}));
  EXPECT_EQ(words("\u0085\u3000"), Words({"\u0085\u3000"}));
  EXPECT_EQ(words("\u180E\x1C"), Words({"\u180E\x1C"})); // not White_Space, so they are symbols …
  EXPECT_EQ(words("\u180E."), Words({"\u180E."}));       // … and join with others
}

TEST(PreTokenizer, KnowsCharactersOfUnicode16) {
  EXPECT_EQ(words("a\U00031350b"), Words({"a", "\U00031350", "b"}));               // CJK extension H
  EXPECT_EQ(words("a\U00011F04b"), Words({"a\U00011F04b"}));                       // Kawi letter
  EXPECT_EQ(words("a\U00011F50\U00011F50"), Words({"a", "\U00011F50\U00011F50"})); // Kawi digits
}

TEST(PreTokenizer, LongWords) {
  const std::string word(24'999, 'A');
  EXPECT_EQ(words(word + " "), Words({word, " "}));
  std::string arabic;
  for (int i = 0; i < 24'999; ++i)
    arabic += "ش";
  EXPECT_EQ(words(arabic), Words({arabic}));
}

} // namespace kimi::text
