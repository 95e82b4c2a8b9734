#include "server/api/ModelList.h"
#include "server/http/Handlers.h"

namespace kimi::http {

namespace json = boost::json;

static Task<void> replyHealth(Exchange &exchange, const Service &service) {
  // A balancer must send nothing new to a server that is going down.
  if (service.isDraining)
    return exchange.fail(
        api::ApiError::refused({schedule::Refusal::Reason::Closed, "the server is shutting down"}));
  return exchange.reply({{"status", "ok"}});
}

static Task<void> replyModel(Exchange &exchange, const Service &service) {
  std::string_view name = std::string_view(exchange.path).substr(std::string_view("/v1/models/").size());
  api::Result<json::object> entry = api::modelEntry(service.model, name);
  return entry ? exchange.reply(std::move(*entry)) : exchange.fail(entry.error());
}

void addInfoHandlers(Router &router, const Service &service) {
  router.add(wire::verb::get, "/health", Access::Open,
             [&service](Exchange &exchange) { return replyHealth(exchange, service); });
  router.add(wire::verb::get, "/version", Access::Open, [](Exchange &exchange) {
    return exchange.reply({{"version", KIMI_VERSION}});
  });
  router.add(wire::verb::get, "/v1/models", Access::NeedsKey,
             [&service](Exchange &exchange) { return exchange.reply(api::modelList(service.model)); });
  router.add(wire::verb::get, "/v1/models/*", Access::NeedsKey,
             [&service](Exchange &exchange) { return replyModel(exchange, service); });
}

} // namespace kimi::http
