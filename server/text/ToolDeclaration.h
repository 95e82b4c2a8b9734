// Tools as TypeScript-style text, the way K2.5 and later declare them. README.md lists the rules.
//
// Thread rule: free function.
#pragma once

#include "runtime/base/Status.h"

#include <boost/json/value.hpp>

#include <string>

namespace kimi::text {

/// `tools` is the request's array with sorted keys (sortKeys). Empty text when no tool is a function. Fails
/// for a schema that the notation cannot say; the caller then declares the tools as JSON, as the reference
/// does.
Expected<std::string> declareTools(const boost::json::value &tools);

} // namespace kimi::text
