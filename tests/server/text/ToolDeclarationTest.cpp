#include "server/text/ToolDeclaration.h"

#include "server/text/Json.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace kimi::text {

namespace {

/// The declaration of one function f with these parameters, without the lines around it; or "error: …".
std::string declare(std::string_view parameters) {
  const std::string tools =
      R"([{"type": "function", "function": {"name": "f", "parameters": )" + std::string(parameters) + "}}]";
  const auto declared = declareTools(sortKeys(*parseJson(tools)));
  if (!declared)
    return "error: " + declared.error().message;
  const std::string_view begin = "# Tools\n\n## functions\nnamespace functions {\n";
  EXPECT_TRUE(declared->starts_with(begin) && declared->ends_with("\n}\n"));
  return declared->substr(begin.size(), declared->size() - begin.size() - 3);
}

/// The type of one required property p.
std::string typeOf(std::string_view schema) {
  const std::string text =
      declare(R"({"properties": {"p": )" + std::string(schema) + R"(}, "required": ["p"]})");
  const std::string_view begin = "type f = (_: {\n", end = "\n}) => any;";
  return text.starts_with(begin) ? text.substr(begin.size(), text.size() - begin.size() - end.size()) : text;
}

} // namespace

TEST(ToolDeclaration, NoParameters) {
  EXPECT_EQ(declare("{}"), "type f = (_: {}) => any;");
  EXPECT_EQ(declare("null"), "type f = (_: {}) => any;");
  EXPECT_EQ(declare(R"({"type": "object", "properties": {}})"), "type f = (_: {}) => any;");
}

TEST(ToolDeclaration, RequiredFirstThenByName) {
  EXPECT_EQ(
      declare(R"({"properties": {"d": {"type": "string"}, "c": {"type": "integer"}, "b": {"type": "boolean"},
                        "a": {"type": "null"}}, "required": ["d", "b"]})"),
      "type f = (_: {\n  b: boolean,\n  d: string,\n  a?: null,\n  c?: number\n}) => any;");
}

TEST(ToolDeclaration, Scalars) {
  EXPECT_EQ(typeOf(R"({"type": "integer"})"), "  p: number");
  EXPECT_EQ(typeOf("{}"), "  p: any");
  EXPECT_EQ(typeOf("true"), "  p: any");
  EXPECT_EQ(typeOf("false"), "  p: null");
  EXPECT_EQ(typeOf(R"({"type": ["string", "integer", "object", "array"]})"),
            "  p: string | number | {} | Array<any>");
  EXPECT_EQ(typeOf(R"({"anyOf": [{"type": "string"}, {"type": "null"}]})"), "  p: string | null");
  EXPECT_EQ(typeOf(R"({"enum": ["a", 1, 1.5, true, null]})"), "  p: \"a\" | 1 | 1.5 | True | None");
}

TEST(ToolDeclaration, CommentsAboveAField) {
  EXPECT_EQ(
      typeOf(
          R"({"type": "string", "description": "one\n\ntwo", "pattern": "^a$", "minLength": 1, "maxLength": 9,
                       "maximum": 3, "default": "é"})"),
      "  // one\n\n  // two\n  // maxLength: 9, minLength: 1, pattern: ^a$\n  // Default: \"é\"\n  p: "
      "string");
  EXPECT_EQ(typeOf(R"({"type": "number", "maximum": 1.0, "minimum": 1e-7, "default": 1e20})"),
            "  // maximum: 1.0, minimum: 1e-07\n  // Default: 1e+20\n  p: number");
  EXPECT_EQ(typeOf(R"({"type": "boolean", "default": false})"), "  // Default: False\n  p: boolean");
  EXPECT_EQ(typeOf(R"({"type": "object", "default": {"b": [1, true], "a": null}})"),
            "  // Default: {\"a\": null, \"b\": [1, true]}\n  p: {}");
}

TEST(ToolDeclaration, Arrays) {
  EXPECT_EQ(typeOf(R"({"type": "array"})"), "  p: Array<any>");
  EXPECT_EQ(typeOf(R"({"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2})"),
            "  // maxItems: 2, minItems: 1\n  p: Array<string>");
  EXPECT_EQ(typeOf(R"({"type": "array", "items": {"type": "string", "description": "d"}})"),
            "  p: Array<\n    // d\n    string\n  >");
}

TEST(ToolDeclaration, Objects) {
  EXPECT_EQ(typeOf(R"({"type": "object", "properties": {"x": {"type": "string", "description": "d"}},
                       "additionalProperties": {"type": "integer"}})"),
            "  p: {\n    // d\n    x?: string,\n    [k: string]: number\n  }");
  EXPECT_EQ(typeOf(R"({"type": "object", "additionalProperties": true})"),
            "  p: {\n    [k: string]: any\n  }");
  EXPECT_EQ(typeOf(R"({"type": "object", "additionalProperties": null})"), "  p: {}");
}

TEST(ToolDeclaration, Definitions) {
  EXPECT_EQ(
      declare(
          R"({"$defs": {"D": {"type": "object", "description": "a d", "properties": {"x": {"type": "string"}}}},
                        "properties": {"p": {"$ref": "#/$defs/D"}}})"),
      "// a d\ninterface D {\n  x?: string\n}\ntype f = (_: {\n  p?: D\n}) => any;");
  EXPECT_EQ(
      declare(R"({"properties": {"next": {"$ref": "#"}, "a": {"type": "string"}}, "required": ["next"]})"),
      "interface parameters {\n  a?: string,\n  next: parameters\n}\ntype f = (_: parameters) => any;");
}

TEST(ToolDeclaration, WhatTheNotationCannotSay) {
  for (const char *schema :
       {R"({"description": "no type"})", R"({"type": 3})", R"({"type": ["what"]})",
        R"({"$ref": "#/$defs/X"})", R"({"$ref": "other"})", R"({"$ref": 1})", R"({"enum": 1})",
        R"({"enum": ["a"], "type": "integer"})", R"({"enum": ["a"], "type": ["string", "integer"]})",
        R"({"anyOf": 1})", R"({"type": "object", "properties": []})",
        R"({"type": "object", "properties": {}, "required": "p"})",
        R"({"type": "object", "additionalProperties": 1})", R"({"type": "string", "description": 1})",
        R"({"type": "array", "items": [1]})", "1", "null"})
    EXPECT_TRUE(typeOf(schema).starts_with("error: ")) << schema;
  EXPECT_TRUE(declare("[1]").starts_with("error: "));
  EXPECT_TRUE(declare(R"({"$defs": [1]})").starts_with("error: "));
}

TEST(ToolDeclaration, OnlyFunctionsAreDeclared) {
  EXPECT_EQ(*declareTools(*parseJson(
                R"([{"type": "other"}, {"type": "function"}, {"type": "function", "function": {}}])")),
            "");
  EXPECT_FALSE(declareTools(*parseJson("[1]")));
  EXPECT_FALSE(declareTools(*parseJson(R"([{"type": "function", "function": [1]}])")));
  EXPECT_EQ(*declareTools(*parseJson(R"([{"type": "function", "function": {"description": "d"}}])")),
            "# Tools\n\n## functions\nnamespace functions {\n// d\ntype function = (_: {}) => any;\n}\n");
}

} // namespace kimi::text
