// JSON as Python reads and writes it, because chat templates are Python: key order, spacing and every digit
// of a number become tokens.
//
// Thread rule: free functions.
#pragma once

#include "runtime/base/Status.h"

#include <boost/json/value.hpp>

#include <filesystem>
#include <string>
#include <string_view>

namespace kimi::text {

/// Parses one JSON document. Unlike boost::json::parse its doubles are the nearest ones (Boost 1.81 can be
/// one bit off, which prints as other digits). The last of equal keys wins. Errors give the byte at which
/// reading stopped.
Expected<boost::json::value> parseJson(std::string_view text);

/// The same for a file, which must hold an object. Errors begin with the file's path.
Expected<boost::json::object> readJsonObject(const std::filesystem::path &file);

enum class JsonSpacing {
  Compact, // separators "," and ":"
  Spaced,  // separators ", " and ": ", json.dumps' default
};

/// json.dumps(value, ensure_ascii=False): no escapes but those JSON demands, floats as Python's repr.
std::string dumpJson(const boost::json::value &value, JsonSpacing spacing);

/// A copy with the keys of every object sorted, at every depth, by code point.
boost::json::value sortKeys(const boost::json::value &value);

/// Python's repr of a float: the shortest digits that read back the same, exponent below 1e-4 and from 1e16.
std::string floatRepr(double number);

} // namespace kimi::text
