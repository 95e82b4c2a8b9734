// Which handler serves a method and a path.
#pragma once

#include "server/http/Exchange.h"

#include <functional>

namespace kimi::http {

using Handler = std::function<Task<void>(Exchange &)>;

enum class Access { Open, NeedsKey };

class Router {
public:
  explicit Router(const Service &service) : service(service) {}

  /// A path that ends in "/*" serves everything below it.
  void add(wire::verb method, std::string path, Access access, Handler handler);

  /// Replies 404, 405 or 401 itself.
  Task<void> dispatch(Exchange &exchange) const;

private:
  struct Route {
    wire::verb method;
    std::string path;
    Access access;
    Handler handler;
    bool matches(std::string_view other) const;
  };
  bool hasKey(const Request &request) const;

  const Service &service;
  std::vector<Route> routes;
};

} // namespace kimi::http
