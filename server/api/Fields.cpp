#include "server/api/Fields.h"

#include "server/text/Json.h"

#include <fmt/format.h>

namespace kimi::api {

namespace json = boost::json;

std::string shown(const json::value &value) {
  return shortened(text::dumpJson(value, text::JsonSpacing::Compact));
}

const json::value *Fields::find(std::string_view key) const {
  const json::value *value = body.if_contains(key);
  return value && !value->is_null() ? value : nullptr;
}

void Fields::fail(std::string_view key, std::string message) {
  if (!firstError)
    firstError = ApiError::invalid(prefix + std::string(key), std::move(message));
}

void Fields::failType(std::string_view key, const json::value &value, std::string_view expected) {
  fail(key, fmt::format("{}{} is {}; it must be {}", prefix, key, shown(value), expected));
}

std::optional<bool> Fields::boolean(std::string_view key) {
  const json::value *value = find(key);
  if (!value)
    return std::nullopt;
  if (value->is_bool())
    return value->get_bool();
  failType(key, *value, "true or false");
  return std::nullopt;
}

std::optional<double> Fields::number(std::string_view key, double low, double high) {
  const json::value *value = find(key);
  if (!value)
    return std::nullopt;
  if (value->is_number()) {
    double number = value->to_number<double>();
    if (number >= low && number <= high)
      return number;
  }
  failType(key, *value, fmt::format("a number from {} to {}", low, high));
  return std::nullopt;
}

// Some clients send 5.0 for 5.
static std::optional<int64_t> wholeNumber(const json::value &value) {
  if (value.is_int64())
    return value.get_int64();
  constexpr double kExact = 9007199254740992.0; // 2^53
  if (value.is_double() && value.get_double() >= -kExact && value.get_double() <= kExact &&
      value.get_double() == static_cast<double>(static_cast<int64_t>(value.get_double())))
    return static_cast<int64_t>(value.get_double());
  return std::nullopt;
}

std::optional<int64_t> Fields::integer(std::string_view key, int64_t low, int64_t high) {
  const json::value *value = find(key);
  if (!value)
    return std::nullopt;
  std::optional<int64_t> whole = wholeNumber(*value);
  if (whole && *whole >= low && *whole <= high)
    return whole;
  failType(key, *value,
           high == INT64_MAX ? fmt::format("an integer from {}", low)
                             : fmt::format("an integer from {} to {}", low, high));
  return std::nullopt;
}

std::optional<std::string> Fields::string(std::string_view key) {
  const json::value *value = find(key);
  if (!value)
    return std::nullopt;
  if (value->is_string())
    return std::string(value->get_string());
  failType(key, *value, "a string");
  return std::nullopt;
}

std::vector<std::string> Fields::strings(std::string_view key, size_t mostItems) {
  const json::value *value = find(key);
  if (!value)
    return {};
  std::vector<std::string> items;
  auto take = [&](const json::value &item) {
    if (!item.is_string() || item.get_string().empty())
      return false;
    items.emplace_back(item.get_string());
    return true;
  };
  bool isGood = true;
  if (value->is_array()) {
    for (const json::value &item : value->get_array())
      isGood = isGood && take(item);
  } else {
    isGood = take(*value);
  }
  if (!isGood)
    failType(key, *value, "a string or a list of strings, none empty");
  else if (items.size() > mostItems)
    fail(key,
         fmt::format("{}{} has {} strings; at most {} are allowed", prefix, key, items.size(), mostItems));
  return items;
}

Result<std::vector<int32_t>> readTokenIds(const json::array &list, std::string_view field,
                                          int64_t vocabulary) {
  std::vector<int32_t> ids;
  ids.reserve(list.size());
  for (const json::value &item : list) {
    if (!item.is_int64() || item.get_int64() < 0 || item.get_int64() >= vocabulary)
      return std::unexpected(
          ApiError::invalid(field, fmt::format("{}[{}] is {}; token ids are integers from 0 to {}", field,
                                               ids.size(), shown(item), vocabulary - 1)));
    ids.push_back(static_cast<int32_t>(item.get_int64()));
  }
  return ids;
}

std::vector<int32_t> Fields::tokenIds(std::string_view key, int64_t vocabulary) {
  const json::value *value = find(key);
  if (!value)
    return {};
  if (!value->is_array()) {
    failType(key, *value, "a list of token ids");
    return {};
  }
  Result<std::vector<int32_t>> ids = readTokenIds(value->get_array(), prefix + std::string(key), vocabulary);
  if (ids)
    return std::move(*ids);
  if (!firstError)
    firstError = ids.error();
  return {};
}

const json::object *Fields::object(std::string_view key) {
  const json::value *value = find(key);
  if (!value)
    return nullptr;
  if (!value->is_object())
    failType(key, *value, "an object");
  return value->if_object();
}

} // namespace kimi::api
