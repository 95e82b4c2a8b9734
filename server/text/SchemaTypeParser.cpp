// The parsing half of SchemaType.h.
#include "server/text/SchemaType.h"

#include "server/text/Json.h"
#include "server/text/PythonText.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <set>
#include <span>

namespace kimi::text {

namespace json = boost::json;

namespace {

SchemaType namedType(std::string name) {
  SchemaType type;
  type.name = std::move(name);
  return type;
}

/// The description that a comment shows, or an error for one that is not text.
Status describe(const json::object &schema, SchemaType &type) {
  const json::value *description = schema.if_contains("description");
  if (!description || !isTruthy(*description))
    return {};
  if (!description->is_string())
    return failure("a description is not text");
  type.description = description->get_string();
  return {};
}

/// `keys` in ascending order.
void constrain(const json::object &schema, std::span<const std::string_view> keys, SchemaType &type) {
  for (std::string_view key : keys)
    if (const json::value *value = schema.if_contains(key))
      type.constraints.emplace_back(key, pythonStr(*value));
}

Expected<SchemaType> parseScalar(const json::object &schema, std::string_view name) {
  static constexpr std::array<std::string_view, 3> kTextKeys = {"maxLength", "minLength", "pattern"};
  static constexpr std::array<std::string_view, 2> kNumberKeys = {"maximum", "minimum"};
  SchemaType type = namedType(std::string(name == "integer" ? "number" : name));
  TRY(describe(schema, type));
  if (name == "string")
    constrain(schema, kTextKeys, type);
  if (name == "number" || name == "integer")
    constrain(schema, kNumberKeys, type);
  return type;
}

/// "type": ["string", "null"]
Expected<SchemaType> parseTypeList(const json::object &schema, const json::array &list) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kNames = {
      {{"string", "string"},
       {"number", "number"},
       {"integer", "number"},
       {"boolean", "boolean"},
       {"null", "null"},
       {"object", "{}"},
       {"array", "Array<any>"}}};
  SchemaType type;
  type.kind = SchemaType::Kind::Union;
  for (const json::value &item : list) {
    const std::string_view wanted = item.is_string() ? std::string_view(item.get_string()) : "";
    const auto found =
        std::ranges::find(kNames, wanted, &std::pair<std::string_view, std::string_view>::first);
    if (found == kNames.end())
      return failure(fmt::format("a list of types holds {}", dumpJson(item, JsonSpacing::Compact)));
    type.types.push_back(namedType(std::string(found->second)));
  }
  TRY(describe(schema, type));
  return type;
}

/// The one type besides null that an enum's "type" declares; a list may have two entries if one is null.
Expected<std::string> enumTypeName(const json::value &declared) {
  const json::array *list = declared.if_array();
  if (!list)
    return declared.is_string() ? std::string(declared.get_string()) : std::string();
  if (list->size() == 1 && list->front().is_string())
    return std::string(list->front().get_string());
  if (list->size() == 2)
    for (int i = 0; i < 2; ++i)
      if ((*list)[i] == "null" && (*list)[1 - i].is_string())
        return std::string((*list)[1 - i].get_string());
  return failure("an enum declares more than one type");
}

/// As Python's isinstance does: a bool is an integer, an integer is a number.
bool hasType(const json::value &value, std::string_view name) {
  const bool isInteger = value.is_int64() || value.is_uint64() || value.is_bool();
  if (name == "string")
    return value.is_string();
  if (name == "number")
    return isInteger || value.is_double();
  if (name == "integer")
    return isInteger;
  return name != "boolean" || value.is_bool();
}

Expected<SchemaType> parseEnum(const json::object &schema, const json::value &values) {
  if (!values.is_array())
    return failure("an enum is not a list");
  std::string name;
  if (const json::value *declared = schema.if_contains("type")) {
    TRY_ASSIGN(name, enumTypeName(*declared));
  }
  std::vector<std::string> alternatives;
  for (const json::value &value : values.get_array()) {
    if (!value.is_null() && !hasType(value, name))
      return failure(
          fmt::format("enum value {} is not of type {}", dumpJson(value, JsonSpacing::Compact), name));
    alternatives.push_back(value.is_string() ? fmt::format("\"{}\"", pythonStr(value)) : pythonStr(value));
  }
  SchemaType type = namedType(fmt::format("{}", fmt::join(alternatives, " | ")));
  TRY(describe(schema, type));
  return type;
}

std::string defaultOf(const json::value &schema) {
  const json::object *object = schema.if_object();
  const json::value *value = object ? object->if_contains("default") : nullptr;
  if (!value || value->is_null())
    return {};
  return value->is_number() || value->is_bool() ? pythonRepr(*value) : dumpJson(*value, JsonSpacing::Spaced);
}

} // namespace

Expected<SchemaType> SchemaTypeParser::parse(const json::value &schema) {
  if (schema.is_bool())
    return namedType(schema.get_bool() ? "any" : "null");
  if (!schema.is_object())
    return failure(fmt::format("{} is not a schema", dumpJson(schema, JsonSpacing::Compact)));
  return parseKind(schema.get_object());
}

Expected<SchemaType> SchemaTypeParser::parseKind(const json::object &schema) {
  if (schema.contains("$ref"))
    return parseReference(schema);
  if (schema.contains("anyOf"))
    return parseAnyOf(schema);
  if (const json::value *values = schema.if_contains("enum"))
    return parseEnum(schema, *values);
  if (schema.empty())
    return namedType("any");
  const json::value *type = schema.if_contains("type");
  if (!type)
    return failure(fmt::format("{} says no type", dumpJson(schema, JsonSpacing::Compact)));
  if (const json::array *list = type->if_array())
    return parseTypeList(schema, *list);
  if (!type->is_string())
    return failure(fmt::format("type {} is not text", dumpJson(*type, JsonSpacing::Compact)));
  if (*type == "object")
    return parseObject(schema);
  if (*type == "array")
    return parseArray(schema);
  return parseScalar(schema, type->get_string());
}

Expected<SchemaType> SchemaTypeParser::parseReference(const json::object &schema) {
  constexpr std::string_view kPrefix = "#/$defs/";
  const json::value &reference = schema.at("$ref");
  if (!reference.is_string())
    return failure("a $ref is not text");
  const std::string_view path = reference.get_string();
  SchemaType type = namedType("parameters");
  TRY(describe(schema, type));
  if (path == "#") {
    refersToRoot = true;
    return type;
  }
  type.name = path.substr(path.rfind('/') + 1);
  const auto isReferred = [&](const auto &definition) { return definition.first == type.name; };
  const auto found = std::ranges::find_if(definitions, isReferred);
  if (!path.starts_with(kPrefix) || found == definitions.end() || !found->second.is_object())
    return failure(fmt::format("$ref {} does not point at a definition above it", path));
  return type;
}

Expected<SchemaType> SchemaTypeParser::parseAnyOf(const json::object &schema) {
  const json::value &alternatives = schema.at("anyOf");
  if (!alternatives.is_array())
    return failure("anyOf is not a list");
  SchemaType type;
  type.kind = SchemaType::Kind::Union;
  TRY(describe(schema, type));
  for (const json::value &alternative : alternatives.get_array()) {
    TRY_ASSIGN(SchemaType parsed, parse(alternative));
    type.types.push_back(std::move(parsed));
  }
  return type;
}

Expected<SchemaType> SchemaTypeParser::parseArray(const json::object &schema) {
  static constexpr std::array<std::string_view, 2> kKeys = {"maxItems", "minItems"};
  SchemaType type;
  type.kind = SchemaType::Kind::Array;
  TRY(describe(schema, type));
  constrain(schema, kKeys, type);
  const json::value *items = schema.if_contains("items");
  if (!items || !isTruthy(*items)) {
    type.types.push_back(namedType("any"));
    return type;
  }
  TRY_ASSIGN(SchemaType item, parse(*items));
  type.types.push_back(std::move(item));
  return type;
}

Expected<SchemaType> SchemaTypeParser::parseObject(const json::object &schema) {
  SchemaType type;
  type.kind = SchemaType::Kind::Object;
  TRY(describe(schema, type));
  if (const json::value *defs = schema.if_contains("$defs"))
    TRY(addDefinitions(*defs));
  if (const json::value *further = schema.if_contains("additionalProperties");
      further && !further->is_null()) {
    if (further->is_bool()) {
      type.types.push_back(namedType(further->get_bool() ? "any" : "never"));
    } else {
      TRY_ASSIGN(SchemaType parsed, parse(*further));
      type.types.push_back(std::move(parsed));
    }
  }
  TRY(parseProperties(schema, type));
  return type;
}

Status SchemaTypeParser::parseProperties(const json::object &schema, SchemaType &type) {
  const json::value *properties = schema.if_contains("properties");
  if (!properties)
    return {};
  if (!properties->is_object())
    return failure("properties is not an object");
  std::set<std::string_view> required;
  if (const json::value *names = schema.if_contains("required")) {
    if (!names->is_array())
      return failure("required is not a list");
    for (const json::value &name : names->get_array())
      if (name.is_string())
        required.insert(name.get_string());
  }
  for (const auto &[key, property] : properties->get_object()) {
    TRY_ASSIGN(SchemaType parsed, parse(property));
    type.properties.push_back({std::string(key), std::move(parsed), !required.contains(std::string_view(key)),
                               defaultOf(property)});
  }
  return {};
}

Status SchemaTypeParser::addDefinitions(const json::value &added) {
  if (!isTruthy(added))
    return {};
  if (!added.is_object())
    return failure("$defs is not an object");
  for (const auto &[key, definition] : added.get_object()) {
    const std::string name(key);
    const auto isSame = [&](const auto &existing) { return existing.first == name; };
    const auto found = std::ranges::find_if(definitions, isSame);
    if (found == definitions.end())
      definitions.emplace_back(name, definition);
    else
      found->second = definition;
  }
  return {};
}

} // namespace kimi::text
