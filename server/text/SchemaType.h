// A JSON schema as a TypeScript-style type: parsed first, because references may only point at definitions
// that stand before them, then printed.
//
// Thread rule: values; one thread at a time per SchemaTypeParser.
#pragma once

#include "runtime/base/Status.h"

#include <boost/json/object.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kimi::text {

/// One type. `kind` says which of the other members mean something.
struct SchemaType {
  enum class Kind { Name, Object, Array, Union };
  struct Property;

  Kind kind = Kind::Name;
  std::string name;                 // Name: "string", "\"a\" | \"b\"", a definition's name …
  std::vector<Property> properties; // Object, in the schema's order
  std::vector<SchemaType>
      types; // Union: the alternatives; Array: the item; Object: the type of further keys, if any

  std::string description;
  std::vector<std::pair<std::string, std::string>> constraints; // sorted by name

  /// Comment lines above a use of the type, each ending in a newline.
  std::string comments(std::string_view indent) const;
  std::string print(std::string_view indent) const;
};

struct SchemaType::Property {
  std::string name;
  SchemaType type;
  bool isOptional = false;
  std::string defaultText; // empty: none

  std::string print(std::string_view indent) const;
};

/// Lines of a description as comments; empty lines stay empty.
std::string commentLines(std::string_view description, std::string_view indent);

class SchemaTypeParser {
public:
  /// Fails for what the notation cannot say.
  Expected<SchemaType> parse(const boost::json::value &schema);
  Expected<SchemaType> parseObject(const boost::json::object &schema);

  /// "$defs" met so far, in order, later ones of the same name in the place of the first.
  std::vector<std::pair<std::string, boost::json::value>> definitions;
  bool refersToRoot = false; // "$ref": "#" was met

private:
  Expected<SchemaType> parseKind(const boost::json::object &schema);
  Expected<SchemaType> parseReference(const boost::json::object &schema);
  Expected<SchemaType> parseAnyOf(const boost::json::object &schema);
  Expected<SchemaType> parseArray(const boost::json::object &schema);
  Status parseProperties(const boost::json::object &schema, SchemaType &type);
  Status addDefinitions(const boost::json::value &definitions);
};

} // namespace kimi::text
