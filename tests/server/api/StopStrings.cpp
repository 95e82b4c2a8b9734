#include "server/api/StopStrings.h"

#include <gtest/gtest.h>

using kimi::api::StopStrings;

namespace {

TEST(StopStringsTest, TextWithoutAStopPassesAtOnce) {
  StopStrings stops({"END"});
  EXPECT_EQ(stops.push("hello "), "hello ");
  EXPECT_EQ(stops.finish(), "");
}

TEST(StopStringsTest, AStopAcrossTokensNeverShows) {
  StopStrings stops({"END"});
  EXPECT_EQ(stops.push("a E"), "a ");
  EXPECT_EQ(stops.push("N"), "");
  EXPECT_EQ(stops.push("D and more"), "");
  EXPECT_TRUE(stops.isHit());
  EXPECT_EQ(stops.push("x"), "");
  EXPECT_EQ(stops.finish(), "");
}

TEST(StopStringsTest, AFalseStartIsReleased) {
  StopStrings stops({"ENDE", "\n\n"});
  EXPECT_EQ(stops.push("EN"), "");
  EXPECT_EQ(stops.push("D"), "");
  EXPECT_EQ(stops.push("!\n"), "END!");
  EXPECT_EQ(stops.push("x"), "\nx");
}

TEST(StopStringsTest, TheFirstOfSeveralWins) {
  StopStrings stops({"world", "lo"});
  EXPECT_EQ(stops.push("hello world"), "hel");
  EXPECT_TRUE(stops.isHit());
}

TEST(StopStringsTest, WhatWasHeldComesAtTheEnd) {
  StopStrings stops({"<stop>"});
  EXPECT_EQ(stops.push("1 <st"), "1 ");
  EXPECT_EQ(stops.finish(), "<st");
}

TEST(StopStringsTest, RepeatedPrefixes) {
  StopStrings stops({"aab"});
  EXPECT_EQ(stops.push("aa"), "");
  EXPECT_EQ(stops.push("a"), "a");
  EXPECT_EQ(stops.push("b"), "");
  EXPECT_TRUE(stops.isHit());
}

TEST(StopStringsTest, CharactersStayWhole) {
  StopStrings stops({"é"});        // C3 A9
  EXPECT_EQ(stops.push("ã"), "ã"); // C3 A3
  EXPECT_EQ(stops.push("xé"), "x");
}

} // namespace
