#include "server/api/TokenizeRequest.h"
#include "server/http/Handlers.h"

namespace kimi::http {

using TextFunction = api::Result<boost::json::object> (*)(const boost::json::object &,
                                                          const api::ServedModel &);

static Task<void> replyWith(TextFunction function, Exchange &exchange, const Service &service) {
  api::Result<boost::json::object> body = exchange.body();
  if (!body)
    return exchange.fail(body.error());
  api::Result<boost::json::object> result = function(*body, service.model);
  return result ? exchange.reply(std::move(*result)) : exchange.fail(result.error());
}

void addTextHandlers(Router &router, const Service &service) {
  for (auto [path, function] : {std::pair<const char *, TextFunction>{"/tokenize", &api::tokenize},
                                {"/detokenize", &api::detokenize},
                                {"/v1/chat/completions/render", &api::render}})
    router.add(wire::verb::post, path, Access::NeedsKey,
               [&service, function](Exchange &exchange) { return replyWith(function, exchange, service); });
}

} // namespace kimi::http
