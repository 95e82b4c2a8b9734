#include "server/text/Json.h"

#include "server/text/FileText.h"

#include <algorithm>
#include <boost/json.hpp>
#include <boost/json/basic_parser_impl.hpp>
#include <charconv>
#include <cmath>
#include <fmt/format.h>

namespace kimi::text {

namespace json = boost::json;

namespace {

// Deep enough for any schema, shallow enough that recursion over the result is safe.
constexpr size_t kMaxDepth = 256;

/// Builds a value like boost::json's own parser, but reads doubles again from their text.
struct ValueHandler {
  static constexpr size_t max_object_size = size_t(-1);
  static constexpr size_t max_array_size = size_t(-1);
  static constexpr size_t max_key_size = size_t(-1);
  static constexpr size_t max_string_size = size_t(-1);

  using View = json::string_view;
  using Code = json::error_code;

  json::value_stack stack;
  std::string number; // pieces of a number seen so far

  bool on_document_begin(Code &) { return true; }
  bool on_document_end(Code &) { return true; }
  bool on_object_begin(Code &) { return true; }
  bool on_object_end(size_t count, Code &) { return stack.push_object(count), true; }
  bool on_array_begin(Code &) { return true; }
  bool on_array_end(size_t count, Code &) { return stack.push_array(count), true; }
  bool on_key_part(View part, size_t, Code &) { return stack.push_chars(part), true; }
  bool on_key(View part, size_t, Code &) { return stack.push_key(part), true; }
  bool on_string_part(View part, size_t, Code &) { return stack.push_chars(part), true; }
  bool on_string(View part, size_t, Code &) { return stack.push_string(part), true; }
  bool on_number_part(View part, Code &) { return number.append(part), true; }
  bool on_int64(int64_t value, View, Code &) { return number.clear(), stack.push_int64(value), true; }
  bool on_uint64(uint64_t value, View, Code &) { return number.clear(), stack.push_uint64(value), true; }
  bool on_double(double value, View part, Code &) {
    number.append(part);
    double nearest = value;
    // Out of range leaves Boost's value, which is 0 or infinity as in Python.
    std::from_chars(number.data(), number.data() + number.size(), nearest);
    number.clear();
    return stack.push_double(nearest), true;
  }
  bool on_bool(bool value, Code &) { return stack.push_bool(value), true; }
  bool on_null(Code &) { return stack.push_null(), true; }
  bool on_comment_part(View, Code &) { return true; }
  bool on_comment(View, Code &) { return true; }
};

json::parse_options parseOptions() {
  json::parse_options options;
  options.max_depth = kMaxDepth;
  return options;
}

void appendString(std::string_view text, std::string &out) {
  out += '"';
  for (char c : text) {
    switch (c) {
    case '"':
      out += "\\\"";
      break;
    case '\\':
      out += "\\\\";
      break;
    case '\n':
      out += "\\n";
      break;
    case '\r':
      out += "\\r";
      break;
    case '\t':
      out += "\\t";
      break;
    case '\b':
      out += "\\b";
      break;
    case '\f':
      out += "\\f";
      break;
    default:
      if (uint8_t(c) < 0x20)
        out += fmt::format("\\u{:04x}", uint8_t(c));
      else
        out += c;
    }
  }
  out += '"';
}

struct Writer {
  std::string_view comma, colon;
  std::string out;

  void write(const json::value &value) {
    switch (value.kind()) {
    case json::kind::null:
      out += "null";
      break;
    case json::kind::bool_:
      out += value.get_bool() ? "true" : "false";
      break;
    case json::kind::int64:
      out += fmt::to_string(value.get_int64());
      break;
    case json::kind::uint64:
      out += fmt::to_string(value.get_uint64());
      break;
    case json::kind::double_:
      writeDouble(value.get_double());
      break;
    case json::kind::string:
      appendString(value.get_string(), out);
      break;
    case json::kind::array:
      writeArray(value.get_array());
      break;
    case json::kind::object:
      writeObject(value.get_object());
      break;
    }
  }

  void writeDouble(double number) {
    if (std::isnan(number))
      out += "NaN";
    else if (std::isinf(number))
      out += number > 0 ? "Infinity" : "-Infinity";
    else
      out += floatRepr(number);
  }

  void writeArray(const json::array &array) {
    out += '[';
    for (size_t i = 0; i < array.size(); ++i) {
      out += i ? comma : "";
      write(array[i]);
    }
    out += ']';
  }

  void writeObject(const json::object &object) {
    out += '{';
    bool isFirst = true;
    for (const auto &[key, value] : object) {
      out += isFirst ? "" : comma;
      isFirst = false;
      appendString(key, out);
      out += colon;
      write(value);
    }
    out += '}';
  }
};

} // namespace

Expected<json::value> parseJson(std::string_view text) {
  json::basic_parser<ValueHandler> parser(parseOptions());
  ValueHandler &handler = parser.handler();
  handler.stack.reset();
  json::error_code error;
  const size_t used = parser.write_some(false, text.data(), text.size(), error);
  if (error)
    return failure(fmt::format("is not JSON at byte {}: {}", used, error.message()));
  if (const size_t rest = text.find_first_not_of(" \t\r\n", used); rest != std::string_view::npos)
    return failure(fmt::format("is not JSON at byte {}: something follows the first value", rest));
  return handler.stack.release();
}

Expected<json::object> readJsonObject(const std::filesystem::path &file) {
  TRY_ASSIGN(const std::string text, readFile(file));
  Expected<json::value> value = parseJson(text);
  if (!value)
    return failure(file.string(), value.error());
  if (!value->is_object())
    return failure(fmt::format("{}: holds JSON of kind {} where an object was expected", file.string(),
                               std::string_view(json::to_string(value->kind()))));
  return std::move(value->get_object());
}

std::string dumpJson(const json::value &value, JsonSpacing spacing) {
  const bool isCompact = spacing == JsonSpacing::Compact;
  Writer writer{isCompact ? "," : ", ", isCompact ? ":" : ": ", {}};
  writer.write(value);
  return std::move(writer.out);
}

json::value sortKeys(const json::value &value) {
  if (const json::array *array = value.if_array()) {
    json::array sorted;
    for (const json::value &item : *array)
      sorted.push_back(sortKeys(item));
    return sorted;
  }
  const json::object *object = value.if_object();
  if (!object)
    return value;
  std::vector<const json::key_value_pair *> items;
  for (const json::key_value_pair &item : *object)
    items.push_back(&item);
  // Bytes of UTF-8 sort as code points do.
  std::ranges::sort(items, {},
                    [](const json::key_value_pair *item) { return std::string_view(item->key()); });
  json::object sorted;
  for (const json::key_value_pair *item : items)
    sorted.emplace(item->key(), sortKeys(item->value()));
  return sorted;
}

std::string floatRepr(double number) {
  if (std::isnan(number))
    return "nan";
  if (std::isinf(number))
    return number > 0 ? "inf" : "-inf";
  // Shortest digits in the form d.ddde±xx, then laid out by Python's rules.
  char buffer[40];
  const auto [end, error] =
      std::to_chars(buffer, buffer + sizeof buffer, number, std::chars_format::scientific);
  std::string_view text(buffer, end - buffer);
  const size_t exponentAt = text.find('e');
  int exponent = 0;
  std::from_chars(text.data() + exponentAt + (text[exponentAt + 1] == '+' ? 2 : 1), end, exponent);
  std::string sign, digits;
  for (char c : text.substr(0, exponentAt))
    if (c == '-')
      sign = "-";
    else if (c != '.')
      digits += c;
  if (exponent < -4 || exponent >= 16) {
    const std::string fraction = digits.size() > 1 ? "." + digits.substr(1) : "";
    return fmt::format("{}{}{}e{}{:02}", sign, digits[0], fraction, exponent < 0 ? '-' : '+',
                       std::abs(exponent));
  }
  if (exponent < 0)
    return sign + "0." + std::string(-exponent - 1, '0') + digits;
  const size_t numWhole = size_t(exponent) + 1;
  if (digits.size() <= numWhole)
    return sign + digits + std::string(numWhole - digits.size(), '0') + ".0";
  return sign + digits.substr(0, numWhole) + "." + digits.substr(numWhole);
}

} // namespace kimi::text
