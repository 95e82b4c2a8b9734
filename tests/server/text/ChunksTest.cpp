#include "server/text/Chunks.h"

#include <gtest/gtest.h>
#include <string>

namespace kimi::text {

using Cuts = std::vector<size_t>;

TEST(Chunks, ShortTextIsNotCut) {
  EXPECT_EQ(chunkCuts(""), Cuts());
  EXPECT_EQ(chunkCuts(std::string(25'000, 'a')), Cuts());
}

TEST(Chunks, RunsAreCut) {
  EXPECT_EQ(chunkCuts(std::string(25'001, 'a')), Cuts({25'000}));
  EXPECT_EQ(chunkCuts(std::string(60'000, ' ')), Cuts({25'000, 50'000}));
  EXPECT_EQ(chunkCuts(std::string(20'000, 'a') + std::string(20'000, ' ') + std::string(20'000, 'b')),
            Cuts());
}

TEST(Chunks, CountsCharactersNotBytes) {
  std::string text;
  for (int i = 0; i < 25'001; ++i)
    text += "你";
  EXPECT_EQ(chunkCuts(text), Cuts({75'000}));
}

TEST(Chunks, SlicesStartTheRunAnew) {
  std::string text;
  while (text.size() < 390'000)
    text += "a ";
  text += std::string(40'000, 'x'); // 10,000 of them before the slice ends, 30,000 after
  EXPECT_EQ(chunkCuts(text), Cuts({400'000, 425'000}));
}

TEST(Chunks, SpaceIsPythons) {
  EXPECT_TRUE(isPythonSpace(0x1C));
  EXPECT_TRUE(isPythonSpace(0x1F));
  EXPECT_TRUE(isPythonSpace(0x85));
  EXPECT_TRUE(isPythonSpace(0x3000));
  EXPECT_FALSE(isPythonSpace(0x1B));
  EXPECT_FALSE(isPythonSpace(0x200B));
  EXPECT_FALSE(isPythonSpace(0x180E));
  EXPECT_EQ(chunkCuts(std::string(13'000, ' ') + std::string(13'000, '\x1C')), Cuts({25'000}));
}

} // namespace kimi::text
