#include "server/http/Connection.h"

#include <boost/asio/write.hpp>
#include <spdlog/spdlog.h>

namespace kimi::http {

Connection::Connection(asio::ip::tcp::socket socket, Strand strand, const Router &router,
                       const Service &service)
    : stream(Stream::socket_type(strand)), router(router), service(service) {
  boost::system::error_code ignored;
  auto protocol = socket.local_endpoint(ignored).protocol();
  stream.socket().assign(protocol, socket.release(), ignored);
  // Tokens are small and must leave at once. A failure costs latency, not correctness.
  stream.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
}

Task<void> Connection::run() {
  while (!service.isDraining) {
    std::optional<Request> request = co_await readRequest();
    if (!request)
      break;
    isServing = true;
    auto start = std::chrono::steady_clock::now();
    Exchange exchange(stream, buffer, std::move(*request), service);
    co_await router.dispatch(exchange);
    isServing = false;
    std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
    spdlog::info("{} {} {} {:.1f} ms", std::string_view(exchange.request.method_string()), exchange.path,
                 exchange.replyStatus() ? std::to_string(exchange.replyStatus()) : "client left",
                 elapsed.count());
    if (!exchange.keepsConnection())
      break;
  }
  if (hasUnreadInput)
    co_await linger();
  stream.close();
}

Task<std::optional<Request>> Connection::readRequest() {
  wire::request_parser<wire::string_body> parser;
  parser.body_limit(service.maxBodyBytes);
  stream.expires_after(service.timeouts.idle);
  auto [headerError, headerSize] = co_await wire::async_read_header(stream, buffer, parser, await);
  boost::system::error_code error = headerError;
  if (!error) {
    stream.expires_after(service.timeouts.read);
    if (beast::iequals(parser.get()[wire::field::expect], "100-continue")) {
      constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
      co_await asio::async_write(stream, asio::buffer(kContinue), await);
    }
    auto [bodyError, bodySize] = co_await wire::async_read(stream, buffer, parser, await);
    error = bodyError;
  }
  if (!error)
    co_return parser.release();
  if (error == wire::error::body_limit)
    co_await refuse(api::ApiError::bodyTooLarge(service.maxBodyBytes));
  // Beast's own category: bytes that are not HTTP. Everything else is a client that left or fell silent.
  else if (error.category() == wire::make_error_code(wire::error::bad_method).category() &&
           error != wire::error::end_of_stream && error != wire::error::partial_message)
    co_await refuse(api::ApiError::malformedBody("the request is not HTTP: " + error.message()));
  co_return std::nullopt;
}

Task<void> Connection::refuse(api::ApiError error) {
  Exchange exchange(stream, buffer, Request(wire::verb::get, "", 11), service);
  exchange.close();
  hasUnreadInput = true;
  co_await exchange.fail(std::move(error));
}

// Closing with unread input makes the kernel reset the connection, and the client may lose the reply.
Task<void> Connection::linger() {
  constexpr size_t kMost = 64 << 20;
  boost::system::error_code ignored;
  stream.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  stream.expires_after(std::chrono::seconds(2));
  for (size_t total = 0; total < kMost;) {
    buffer.clear();
    auto [error, size] = co_await stream.async_read_some(buffer.prepare(64 << 10), await);
    if (error)
      break;
    total += size;
  }
}

void Connection::drain() {
  if (!isServing)
    stream.cancel();
}

} // namespace kimi::http
