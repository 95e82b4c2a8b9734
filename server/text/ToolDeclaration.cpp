#include "server/text/ToolDeclaration.h"

#include "server/text/PythonText.h"
#include "server/text/SchemaType.h"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace kimi::text {

namespace json = boost::json;

namespace {

/// The root's properties, in the schema's order, for schemas that refer to themselves.
std::string printRoot(const SchemaType &parameters) {
  std::vector<std::string> fields;
  for (const SchemaType::Property &property : parameters.properties)
    fields.push_back(property.print("  "));
  const std::string body = fmt::format("{}", fmt::join(fields, ",\n"));
  return body.empty() ? "interface parameters {}" : fmt::format("interface parameters {{\n{}\n}}", body);
}

/// "$defs" as interfaces. Definitions inside definitions are known to references but not printed.
Status printDefinitions(SchemaTypeParser &parser, std::vector<std::string> &interfaces) {
  const auto definitions = parser.definitions;
  for (const auto &[name, schema] : definitions) {
    TRY_ASSIGN(const SchemaType type, parser.parse(schema));
    if (!schema.is_object())
      return failure(fmt::format("definition {} is not an object", name));
    // Not type.description: a definition {} that says no type has a description here all the same.
    const json::value *description = schema.get_object().if_contains("description");
    const bool isDescribed = description && isTruthy(*description);
    if (isDescribed && !description->is_string())
      return failure(fmt::format("the description of {} is not text", name));
    const std::string comment = isDescribed ? commentLines(description->get_string(), "") + "\n" : "";
    interfaces.push_back(fmt::format("{}interface {} {}", comment, name, type.print("")));
  }
  return {};
}

Expected<std::string> functionName(const json::object &function) {
  const json::value *name = function.if_contains("name");
  if (!name)
    return std::string("function");
  return pythonStr(*name);
}

Expected<std::string> declareFunction(const json::object &function) {
  json::object schema;
  if (const json::value *parameters = function.if_contains("parameters");
      parameters && isTruthy(*parameters)) {
    if (!parameters->is_object())
      return failure("parameters is not an object");
    schema = parameters->get_object();
  }
  SchemaTypeParser parser;
  TRY_ASSIGN(const SchemaType type, parser.parseObject(schema));
  std::vector<std::string> lines;
  const bool refersToRoot = parser.refersToRoot;
  if (refersToRoot)
    lines.push_back(printRoot(type));
  TRY(printDefinitions(parser, lines));
  if (const json::value *description = function.if_contains("description");
      description && isTruthy(*description)) {
    if (!description->is_string())
      return failure("a function's description is not text");
    lines.push_back(commentLines(description->get_string(), ""));
  }
  TRY_ASSIGN(const std::string name, functionName(function));
  lines.push_back(
      fmt::format("type {} = (_: {}) => any;", name, refersToRoot ? "parameters" : type.print("")));
  return fmt::format("{}", fmt::join(lines, "\n"));
}

} // namespace

Expected<std::string> declareTools(const json::value &tools) {
  if (!tools.is_array())
    return failure("tools is not a list");
  std::string functions;
  for (const json::value &tool : tools.get_array()) {
    if (!tool.is_object())
      return failure("a tool is not an object");
    const json::object &object = tool.get_object();
    const json::value *type = object.if_contains("type");
    const json::value *function = object.if_contains("function");
    if (!type || *type != "function" || !function || !isTruthy(*function))
      continue;
    if (!function->is_object())
      return failure("a tool's function is not an object");
    TRY_ASSIGN(const std::string declared, declareFunction(function->get_object()));
    functions += declared + "\n";
  }
  if (functions.empty())
    return std::string();
  return fmt::format("# Tools\n\n## functions\nnamespace functions {{\n{}}}\n", functions);
}

} // namespace kimi::text
