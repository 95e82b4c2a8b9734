// Whole numbers in the JSON of others: as integers, as floats, and at the ends of int64_t.
#include "compiler/import/Json.h"

#include <gtest/gtest.h>

namespace kimi::test {
namespace {

std::optional<int64_t> read(const char *text) {
  return import_::asInteger(llvm::cantFail(llvm::json::parse(text)));
}

TEST(Json, WholeNumbersAreIntegersHoweverTheyAreWritten) {
  EXPECT_EQ(read("7"), 7);
  EXPECT_EQ(read("-7"), -7);
  EXPECT_EQ(read("2.0"), 2);
  EXPECT_EQ(read("1e3"), 1000);
  EXPECT_EQ(read("-0.0"), 0);
  EXPECT_EQ(read("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(read("-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(read("-9223372036854775808.0"), INT64_MIN);
  EXPECT_EQ(read("9223372036854774784.0"), INT64_MAX - 1023); // the largest double below 2^63
}

// 2^63 as a double equals int64_t's largest value rounded to a double, so a comparison with it lets 2^63 through; its
// conversion is undefined. Found by fuzzing.
TEST(Json, NumbersThatNoIntegerHoldsAreNone) {
  for (const char *text : {"9223372036854775808", "9223372036854775808.0", "9.223372036854775808e18",
                           "9223372036854777856.0", "18446744073709551615", "-9223372036854777856.0", "1e300", "-1e300",
                           "1e999", "-1e999", "0.5", "1e-300", "\"7\"", "true", "null", "[7]", "{}"})
    EXPECT_EQ(read(text), std::nullopt) << text;
}

} // namespace
} // namespace kimi::test
