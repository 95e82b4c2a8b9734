#include "server/api/ApiError.h"

#include <boost/json/value.hpp>
#include <fmt/format.h>

namespace kimi::api {

namespace json = boost::json;

static json::value orNull(const std::optional<std::string> &text) {
  return text ? json::value(*text) : json::value(nullptr);
}

static ApiError make(int status, std::string type, std::string message, std::optional<std::string> param = {},
                     std::optional<std::string> code = {}) {
  return {status, std::move(type), oneLine(std::move(message)), std::move(param), std::move(code)};
}

json::object ApiError::toJson() const {
  return {
      {"error",
       json::object{{"message", message}, {"type", type}, {"param", orNull(param)}, {"code", orNull(code)}}}};
}

ApiError ApiError::invalid(std::string_view param, std::string message) {
  return make(400, "invalid_request_error", std::move(message), std::string(param));
}

ApiError ApiError::malformedBody(std::string message) {
  return make(400, "invalid_request_error", std::move(message), std::nullopt, "invalid_json");
}

ApiError ApiError::unknownModel(std::string_view model, std::string_view served) {
  return make(404, "invalid_request_error",
              fmt::format("the model '{}' does not exist; this server has '{}'", shortened(std::string(model)), served),
              "model",
              "model_not_found");
}

ApiError ApiError::unknownPath(std::string_view method, std::string_view path) {
  return make(404, "invalid_request_error", fmt::format("unknown path: {} {}", method, path), std::nullopt,
              "unknown_url");
}

ApiError ApiError::wrongMethod(std::string_view method, std::string_view path, std::string_view allowed) {
  return make(405, "invalid_request_error", fmt::format("{} takes {}, not {}", path, allowed, method),
              std::nullopt, "method_not_allowed");
}

ApiError ApiError::bodyTooLarge(uint64_t limitBytes) {
  return make(413, "invalid_request_error", fmt::format("the body is larger than {} bytes", limitBytes),
              std::nullopt, "body_too_large");
}

ApiError ApiError::wrongKey() {
  return make(401, "authentication_error",
              "the API key is missing or wrong: send 'Authorization: Bearer KEY'", std::nullopt,
              "invalid_api_key");
}

ApiError ApiError::internal(std::string message) { return make(500, "server_error", std::move(message)); }

ApiError ApiError::refused(const schedule::Refusal &refusal) {
  switch (refusal.reason) {
  case schedule::Refusal::Reason::Invalid:
    return make(400, "invalid_request_error", refusal.message);
  case schedule::Refusal::Reason::QueueFull:
    return make(503, "server_error", refusal.message, std::nullopt, "queue_full");
  case schedule::Refusal::Reason::Closed:
    return make(503, "server_error", refusal.message, std::nullopt, "shutting_down");
  }
  return internal(refusal.message);
}

} // namespace kimi::api
