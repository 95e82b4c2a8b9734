// JSON values as Python's str() and repr() print them, which the reference's f-strings put into prompts.
//
// Thread rule: free functions.
#pragma once

#include <boost/json/value.hpp>

#include <string>

namespace kimi::text {

/// str(value): text as it is, True, None, 1.0, lists and dicts with repr inside.
std::string pythonStr(const boost::json::value &value);

/// repr(value): text in quotes.
std::string pythonRepr(const boost::json::value &value);

/// bool(value): false for null, false, 0, "", [] and {}.
bool isTruthy(const boost::json::value &value);

} // namespace kimi::text
