// The reply of /v1/models and /v1/models/NAME.
#pragma once

#include "server/api/Generation.h"

namespace kimi::api {

boost::json::object modelList(const ServedModel &model);
Result<boost::json::object> modelEntry(const ServedModel &model, std::string_view name);

} // namespace kimi::api
