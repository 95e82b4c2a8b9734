#include "server/text/Json.h"

#include "server/text/PythonText.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace kimi::text {

namespace {

std::string compact(std::string_view text) {
  const auto value = parseJson(text);
  return value ? dumpJson(*value, JsonSpacing::Compact) : value.error().message;
}

} // namespace

TEST(Json, WritesAsJsonDumps) {
  const auto value = parseJson(R"({"b": [1, -2, 1.0, true, null], "a": "é\"\\\n\u0001/<>"})");
  EXPECT_EQ(dumpJson(*value, JsonSpacing::Compact), R"({"b":[1,-2,1.0,true,null],"a":"é\"\\\n\u0001/<>"})");
  EXPECT_EQ(dumpJson(*value, JsonSpacing::Spaced),
            R"({"b": [1, -2, 1.0, true, null], "a": "é\"\\\n\u0001/<>"})");
  EXPECT_EQ(dumpJson(sortKeys(*value), JsonSpacing::Compact),
            R"({"a":"é\"\\\n\u0001/<>","b":[1,-2,1.0,true,null]})");
  EXPECT_EQ(compact("{}"), "{}");
  EXPECT_EQ(compact(" [ ] "), "[]");
  EXPECT_EQ(compact(R"("\ud83d\ude00")"), "\"😀\"");
}

TEST(Json, SortsAtEveryDepth) {
  const auto value = parseJson(R"({"z": {"b": 1, "a": 2}, "Z": [{"d": 1, "c": 2}]})");
  EXPECT_EQ(dumpJson(sortKeys(*value), JsonSpacing::Compact), R"({"Z":[{"c":2,"d":1}],"z":{"a":2,"b":1}})");
}

TEST(Json, LastOfEqualKeysWins) { EXPECT_EQ(compact(R"({"a": 1, "a": 2})"), R"({"a":2})"); }

TEST(Json, ReadsTheNearestDouble) {
  // Boost 1.81 alone reads these one bit off.
  EXPECT_EQ(parseJson("116.61456324975011")->get_double(), 116.61456324975011);
  EXPECT_EQ(compact("[281149435489059.34, 12531193099.799555]"), "[281149435489059.34,12531193099.799555]");
}

TEST(Json, FloatsPrintAsInPython) {
  EXPECT_EQ(floatRepr(0.0), "0.0");
  EXPECT_EQ(floatRepr(-0.0), "-0.0");
  EXPECT_EQ(floatRepr(100.0), "100.0");
  EXPECT_EQ(floatRepr(0.1), "0.1");
  EXPECT_EQ(floatRepr(-1234.5), "-1234.5");
  EXPECT_EQ(floatRepr(0.0001), "0.0001");
  EXPECT_EQ(floatRepr(0.00001), "1e-05");
  EXPECT_EQ(floatRepr(1.5e-7), "1.5e-07");
  EXPECT_EQ(floatRepr(1e15), "1000000000000000.0");
  EXPECT_EQ(floatRepr(1e16), "1e+16");
  EXPECT_EQ(floatRepr(1.25e300), "1.25e+300");
  EXPECT_EQ(floatRepr(5e-324), "5e-324");
}

TEST(Json, ErrorsGiveTheByte) {
  EXPECT_EQ(compact("[1, x]").substr(0, 22), "is not JSON at byte 4:");
  EXPECT_EQ(compact("1 2"), "is not JSON at byte 2: something follows the first value");
  EXPECT_EQ(compact("").substr(0, 22), "is not JSON at byte 0:");
  EXPECT_EQ(compact("\"\xFF\"").substr(0, 11), "is not JSON");
  EXPECT_EQ(compact(R"("\ud800")").substr(0, 11), "is not JSON");
  EXPECT_EQ(compact(std::string(300, '[')).substr(0, 11), "is not JSON");
}

TEST(PythonText, StrAndRepr) {
  const auto value = parseJson(R"(["a'b", "a\"'b", "\n\\", true, null, 1.0, 7, {"k": []}])");
  EXPECT_EQ(pythonRepr(*value), R"(["a'b", 'a"\'b', '\n\\', True, None, 1.0, 7, {'k': []}])");
  EXPECT_EQ(pythonStr(value->get_array()[0]), "a'b");
}

TEST(PythonText, Truth) {
  for (const char *text : {"null", "false", "0", "0.0", "\"\"", "[]", "{}"})
    EXPECT_FALSE(isTruthy(*parseJson(text))) << text;
  for (const char *text : {"true", "1", "0.5", "\"0\"", "[0]", R"({"a": 0})"})
    EXPECT_TRUE(isTruthy(*parseJson(text))) << text;
}

} // namespace kimi::text
