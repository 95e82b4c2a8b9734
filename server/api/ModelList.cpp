#include "server/api/ModelList.h"

#include <boost/json/array.hpp>

#include <algorithm>

namespace kimi::api {

namespace json = boost::json;

static json::object entryOf(const ServedModel &model, std::string_view name) {
  return {{"id", name},
          {"object", "model"},
          {"created", model.created},
          {"owned_by", "kimic"},
          {"root", model.names.front()},
          {"parent", nullptr},
          {"max_model_len", model.limits.maxModelLen}};
}

json::object modelList(const ServedModel &model) {
  json::array entries;
  for (const std::string &name : model.names)
    entries.push_back(entryOf(model, name));
  return {{"object", "list"}, {"data", std::move(entries)}};
}

Result<json::object> modelEntry(const ServedModel &model, std::string_view name) {
  if (std::ranges::find(model.names, name) == model.names.end())
    return std::unexpected(ApiError::unknownModel(name, model.names.front()));
  return entryOf(model, name);
}

} // namespace kimi::api
