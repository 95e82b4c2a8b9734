#include "server/http/Router.h"

namespace kimi::http {

void Router::add(wire::verb method, std::string path, Access access, Handler handler) {
  routes.push_back({method, std::move(path), access, std::move(handler)});
}

bool Router::Route::matches(std::string_view other) const {
  if (!path.ends_with("/*"))
    return path == other;
  std::string_view prefix = std::string_view(path).substr(0, path.size() - 1);
  return other.size() > prefix.size() && other.starts_with(prefix);
}

// Compares every byte whatever the first ones say: time must not tell how much of a guess was right.
static bool isEqual(std::string_view a, std::string_view b) {
  if (a.size() != b.size())
    return false;
  unsigned char difference = 0;
  for (size_t i = 0; i < a.size(); ++i)
    difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

bool Router::hasKey(const Request &request) const {
  if (service.apiKey.empty())
    return true;
  beast::string_view header = request[wire::field::authorization];
  std::string_view given(header.data(), header.size());
  constexpr std::string_view kScheme = "Bearer ";
  return given.starts_with(kScheme) && isEqual(given.substr(kScheme.size()), service.apiKey);
}

Task<void> Router::dispatch(Exchange &exchange) const {
  std::string allowed;
  for (const Route &route : routes) {
    if (!route.matches(exchange.path))
      continue;
    if (route.method == exchange.request.method()) {
      if (route.access == Access::NeedsKey && !hasKey(exchange.request))
        return exchange.fail(api::ApiError::wrongKey());
      return route.handler(exchange);
    }
    allowed += (allowed.empty() ? "" : ", ") + std::string(wire::to_string(route.method));
  }
  std::string method(exchange.request.method_string());
  if (allowed.empty())
    return exchange.fail(api::ApiError::unknownPath(method, exchange.path));
  return exchange.fail(api::ApiError::wrongMethod(method, exchange.path, allowed), allowed);
}

} // namespace kimi::http
