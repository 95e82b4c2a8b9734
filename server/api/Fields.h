// Reads a request body field by field. The first field that is wrong sticks; the reader looks at error()
// once, after all fields. A missing field and null are the same; unknown fields are ignored.
//
//   Fields fields(body);
//   double temperature = fields.number("temperature", 0, 2).value_or(1);
//   bool stream = fields.boolean("stream").value_or(false);
//   if (fields.error()) return std::unexpected(*fields.error());
#pragma once

#include "server/api/ApiError.h"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <vector>

namespace kimi::api {

class Fields {
public:
  /// `body` must outlive the reader. `prefix` goes before names in messages: "stream_options.".
  explicit Fields(const boost::json::object &body, std::string_view prefix = "")
      : body(body), prefix(prefix) {}

  std::optional<bool> boolean(std::string_view key);
  std::optional<int64_t> integer(std::string_view key, int64_t low, int64_t high);
  std::optional<double> number(std::string_view key, double low, double high);
  std::optional<std::string> string(std::string_view key);
  /// One string or a list of them, none empty.
  std::vector<std::string> strings(std::string_view key, size_t mostItems);
  std::vector<int32_t> tokenIds(std::string_view key, int64_t vocabulary);
  const boost::json::object *object(std::string_view key);

  /// The field's value, or nullptr when it is missing or null.
  const boost::json::value *find(std::string_view key) const;

  void fail(std::string_view key, std::string message);
  const std::optional<ApiError> &error() const { return firstError; }

private:
  void failType(std::string_view key, const boost::json::value &value, std::string_view expected);

  const boost::json::object &body;
  std::string prefix;
  std::optional<ApiError> firstError;
};

/// The value as a message may show it: cut when long.
std::string shown(const boost::json::value &value);

/// A list of token ids, each inside the vocabulary; `field` is for the message.
Result<std::vector<int32_t>> readTokenIds(const boost::json::array &list, std::string_view field,
                                          int64_t vocabulary);

} // namespace kimi::api
