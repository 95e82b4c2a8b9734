// What a client hears when a request cannot be served.
#pragma once

#include "server/schedule/EngineLoop.h"

#include <boost/json/object.hpp>

#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace kimi::api {

/// `{"error": {"message", "type", "param", "code"}}` with its HTTP status.
struct ApiError {
  int status = 400;
  std::string type = "invalid_request_error";
  std::string message;
  std::optional<std::string> param; // the request's field
  std::optional<std::string> code;

  boost::json::object toJson() const;

  /// 400. The message should give the field, the value and the limit.
  static ApiError invalid(std::string_view param, std::string message);
  static ApiError malformedBody(std::string message);
  static ApiError unknownModel(std::string_view model, std::string_view served);
  static ApiError unknownPath(std::string_view method, std::string_view path);
  static ApiError wrongMethod(std::string_view method, std::string_view path, std::string_view allowed);
  static ApiError bodyTooLarge(uint64_t limitBytes);
  static ApiError wrongKey();
  static ApiError internal(std::string message);
  static ApiError refused(const schedule::Refusal &refusal);
};

template <typename T> using Result = std::expected<T, ApiError>;

} // namespace kimi::api
