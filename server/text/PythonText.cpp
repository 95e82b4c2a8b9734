#include "server/text/PythonText.h"

#include "server/text/Json.h"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace kimi::text {

namespace json = boost::json;

namespace {

/// Characters above ASCII stay as they are; Python would escape those that are not printable.
std::string quote(std::string_view text) {
  const char quoteMark = text.contains('\'') && !text.contains('"') ? '"' : '\'';
  std::string out(1, quoteMark);
  for (char c : text) {
    if (c == quoteMark || c == '\\')
      out += '\\';
    if (c == '\n')
      out += "\\n";
    else if (c == '\r')
      out += "\\r";
    else if (c == '\t')
      out += "\\t";
    else if (uint8_t(c) < 0x20 || c == 0x7F)
      out += fmt::format("\\x{:02x}", uint8_t(c));
    else
      out += c;
  }
  return out + quoteMark;
}

} // namespace

std::string pythonStr(const json::value &value) {
  return value.is_string() ? std::string(value.get_string()) : pythonRepr(value);
}

std::string pythonRepr(const json::value &value) {
  std::string out;
  const auto separate = [&] { out += out.size() > 1 ? ", " : ""; };
  switch (value.kind()) {
  case json::kind::null:
    return "None";
  case json::kind::bool_:
    return value.get_bool() ? "True" : "False";
  case json::kind::int64:
    return fmt::to_string(value.get_int64());
  case json::kind::uint64:
    return fmt::to_string(value.get_uint64());
  case json::kind::double_:
    return floatRepr(value.get_double());
  case json::kind::string:
    return quote(value.get_string());
  case json::kind::array:
    out = "[";
    for (const json::value &item : value.get_array()) {
      separate();
      out += pythonRepr(item);
    }
    return out + "]";
  case json::kind::object:
    out = "{";
    for (const auto &[key, item] : value.get_object()) {
      separate();
      out += quote(key) + ": " + pythonRepr(item);
    }
    return out + "}";
  }
  return out;
}

bool isTruthy(const json::value &value) {
  switch (value.kind()) {
  case json::kind::null:
    return false;
  case json::kind::bool_:
    return value.get_bool();
  case json::kind::int64:
    return value.get_int64() != 0;
  case json::kind::uint64:
    return value.get_uint64() != 0;
  case json::kind::double_:
    return value.get_double() != 0;
  case json::kind::string:
    return !value.get_string().empty();
  case json::kind::array:
    return !value.get_array().empty();
  case json::kind::object:
    return !value.get_object().empty();
  }
  return false;
}

} // namespace kimi::text
