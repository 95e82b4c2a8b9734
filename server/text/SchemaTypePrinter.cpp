// The printing half of SchemaType.h.
#include "server/text/SchemaType.h"

#include <algorithm>
#include <fmt/format.h>

namespace kimi::text {

namespace {

constexpr std::string_view kIndent = "  ";

std::string deeper(std::string_view indent) { return std::string(indent) + std::string(kIndent); }

std::string joinWith(const std::vector<std::string> &parts, std::string_view separator) {
  return fmt::format("{}", fmt::join(parts, separator));
}

std::string printObject(const SchemaType &type, std::string_view indent) {
  // Required properties first, each group by name.
  std::vector<const SchemaType::Property *> ordered;
  for (const SchemaType::Property &property : type.properties)
    ordered.push_back(&property);
  std::ranges::stable_sort(ordered, {}, [](const SchemaType::Property *p) {
    return std::pair(p->isOptional, std::string_view(p->name));
  });
  std::vector<std::string> fields;
  for (const SchemaType::Property *property : ordered)
    fields.push_back(property->print(deeper(indent)));
  for (const SchemaType &further : type.types)
    fields.push_back(deeper(indent) + "[k: string]: " + further.print(deeper(indent)));
  if (fields.empty())
    return "{}";
  return fmt::format("{{\n{}\n{}}}", joinWith(fields, ",\n"), indent);
}

std::string printArray(const SchemaType &item, std::string_view indent) {
  const std::string comments = item.comments(deeper(indent));
  if (comments.empty())
    return fmt::format("Array<{}>", item.print(indent));
  return fmt::format("Array<\n{}{}{}\n{}>", comments, deeper(indent), item.print(deeper(indent)), indent);
}

} // namespace

std::string commentLines(std::string_view description, std::string_view indent) {
  std::string out;
  while (true) {
    const size_t end = description.find('\n');
    const std::string_view line = description.substr(0, end);
    if (!line.empty())
      out += fmt::format("{}// {}", indent, line);
    if (end == std::string_view::npos)
      return out;
    out += '\n';
    description.remove_prefix(end + 1);
  }
}

std::string SchemaType::comments(std::string_view indent) const {
  std::string out;
  if (!description.empty())
    out += commentLines(description, indent) + "\n";
  std::vector<std::string> parts;
  for (const auto &[constraint, value] : constraints)
    parts.push_back(constraint + ": " + value);
  if (!parts.empty())
    out += fmt::format("{}// {}\n", indent, joinWith(parts, ", "));
  return out;
}

std::string SchemaType::print(std::string_view indent) const {
  if (kind == Kind::Object)
    return printObject(*this, indent);
  if (kind == Kind::Array)
    return printArray(types.front(), indent);
  if (kind == Kind::Name)
    return name;
  std::vector<std::string> alternatives;
  for (const SchemaType &type : types)
    alternatives.push_back(type.print(indent));
  return joinWith(alternatives, " | ");
}

std::string SchemaType::Property::print(std::string_view indent) const {
  std::string out = type.comments(indent);
  if (!defaultText.empty())
    out += fmt::format("{}// Default: {}\n", indent, defaultText);
  return out + fmt::format("{}{}{}: {}", indent, name, isOptional ? "?" : "", type.print(indent));
}

} // namespace kimi::text
