// What a client hears of a request that was refused.
#pragma once

#include "server/api/ApiError.h"
#include "server/text/Json.h"
#include "tests/fuzz/Input.h"

#include <boost/json.hpp>

namespace kimi::fuzz {

/// The error names the request's field, and what is sent of it is JSON that holds the same message.
inline void requireApiMessage(const api::ApiError &error) {
  require(error.param.has_value(), "an error of a field has a param");
  require(!error.param->empty(), "a param is a field's name");
  requireMessage(error.message, {*error.param});
  const std::string sent = text::dumpJson(error.toJson(), text::JsonSpacing::Compact);
  const Expected<boost::json::value> heard = text::parseJson(sent);
  require(heard && *heard == error.toJson(), "what is sent reads back as the error");
}

} // namespace kimi::fuzz
