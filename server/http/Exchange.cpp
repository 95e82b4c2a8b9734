#include "server/http/Exchange.h"

#include "server/text/Json.h"

#include <boost/asio/write.hpp>
#include <boost/json/serialize.hpp>

namespace kimi::http {

// What a client may send ahead while its reply is being made.
constexpr size_t kMostReadAhead = 64 << 10;

Exchange::Exchange(Stream &stream, beast::flat_buffer &buffer, Request theRequest, const Service &service)
    : request(std::move(theRequest)), path(request.target().substr(0, request.target().find('?'))),
      stream(stream), buffer(buffer), service(service), isKept(request.keep_alive()) {}

api::Result<boost::json::object> Exchange::body() const {
  Expected<boost::json::value> value = text::parseJson(request.body());
  if (!value)
    return std::unexpected(api::ApiError::malformedBody("the body is not JSON: " + value.error().message));
  if (!value->is_object())
    return std::unexpected(api::ApiError::malformedBody("the body must be a JSON object"));
  return std::move(value->get_object());
}

Task<void> Exchange::reply(boost::json::object body) { return send(200, boost::json::serialize(body), ""); }

Task<void> Exchange::fail(api::ApiError error, std::string allowedMethods) {
  return send(error.status, boost::json::serialize(error.toJson()), std::move(allowedMethods));
}

// By value: a coroutine begins only when it is awaited, and its caller's locals may be gone by then.
Task<void> Exchange::send(int code, std::string body, std::string allowedMethods) {
  wire::response<wire::string_body> response{static_cast<wire::status>(code), request.version()};
  response.set(wire::field::server, "kimic/" KIMI_VERSION);
  response.set(wire::field::content_type, "application/json");
  if (code == 401)
    response.set(wire::field::www_authenticate, "Bearer");
  if (code == 503)
    response.set(wire::field::retry_after, "1");
  if (!allowedMethods.empty())
    response.set(wire::field::allow, allowedMethods);
  response.keep_alive(keepsConnection());
  response.body() = std::move(body);
  response.prepare_payload();
  status = code;
  stream.expires_after(service.timeouts.write);
  auto [error, size] = co_await wire::async_write(stream, response, await);
  if (error)
    close();
}

Task<void> Exchange::untilHangUp() {
  while (buffer.size() < kMostReadAhead) {
    // The bare socket: the stream's timeouts belong to the writer.
    auto [error, size] = co_await stream.socket().async_read_some(buffer.prepare(4096), await);
    if (error == asio::error::operation_aborted)
      co_return; // the reply is complete, and nobody needs to watch any more
    if (error) {
      close();
      co_return;
    }
    buffer.commit(size);
  }
  // Too much ahead to go on reading; the writer will notice when the client has gone.
  asio::steady_timer never(stream.get_executor(), asio::steady_timer::time_point::max());
  co_await never.async_wait(await);
}

} // namespace kimi::http
