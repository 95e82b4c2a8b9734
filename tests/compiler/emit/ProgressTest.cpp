#include "compiler/emit/Progress.h"

#include <gmock/gmock.h>

using namespace kimi::emit;

TEST(Progress, PrintsBytesForPeople) {
  EXPECT_EQ(printBytes(512), "512 bytes");
  EXPECT_EQ(printBytes(1500), "1.5 KB");
  EXPECT_EQ(printBytes(26'800'000), "26.8 MB");
  EXPECT_EQ(printBytes(1'030'000'000'000), "1.0 TB");
}

TEST(Progress, PrintsTimeForPeople) {
  EXPECT_EQ(printSeconds(0), "0 s");
  EXPECT_EQ(printSeconds(59.4), "59 s");
  EXPECT_EQ(printSeconds(59.6), "1 min 00 s");
  EXPECT_EQ(printSeconds(245), "4 min 05 s");
  EXPECT_EQ(printSeconds(2 * 3600 + 3 * 60 + 59), "2 h 03 min");
}

TEST(Progress, SaysRateAndTimeLeft) {
  EXPECT_EQ(progressText("packing", 1'000'000'000, 4'000'000'000, 500e6),
            "packing 1.0 GB of 4.0 GB (25 %), 500.0 MB/s, 6 s left");
  EXPECT_EQ(progressText("packing", 0, 0, 0), "packing 0 bytes of 0 bytes (100 %)");
  EXPECT_EQ(progressText("packing", 5, 4, 1), "packing 5 bytes of 4 bytes (125 %), 1 bytes/s, 0 s left");
}

// 100 bytes per second for an hour, then 10: after ten more seconds only the new rate counts.
TEST(Progress, RateIsThatOfTheLastSeconds) {
  RateMeter rate;
  EXPECT_EQ(rate.bytesPerSecond(), 0);
  rate.add(1, 100);
  EXPECT_EQ(rate.bytesPerSecond(), 100);
  uint64_t done = 100;
  for (int second = 2; second <= 3600; ++second)
    rate.add(second, done += 100);
  EXPECT_EQ(rate.bytesPerSecond(), 100);
  for (int second = 3601; second <= 3610; ++second)
    rate.add(second, done += 10);
  EXPECT_EQ(rate.bytesPerSecond(), 10);
}
