// One request and its reply, as handlers see it.
#pragma once

#include "server/api/ApiError.h"
#include "server/http/Net.h"
#include "server/http/Service.h"

#include <boost/json/object.hpp>

namespace kimi::http {

using Request = wire::request<wire::string_body>;

class Exchange {
public:
  Exchange(Stream &stream, beast::flat_buffer &buffer, Request request, const Service &service);

  const Request request;
  const std::string path; // the target without its query

  /// The body as an object, or the error to reply with.
  api::Result<boost::json::object> body() const;

  Task<void> reply(boost::json::object body);
  Task<void> fail(api::ApiError error, std::string allowedMethods = "");

  /// Returns when the client has gone away, and only then. What it sends ahead meanwhile is kept for the next
  /// request. For use beside a reply in the making: `co_await (work || exchange.untilHangUp())`.
  Task<void> untilHangUp();

  /// Writes all the bytes; false when the client is gone or too slow. For SseStream.
  template <typename Buffers> Task<bool> write(const Buffers &buffers) {
    stream.expires_after(service.timeouts.write);
    auto [error, size] = co_await asio::async_write(stream, buffers, await);
    if (error)
      close();
    co_return !error;
  }

  /// The connection ends with this exchange.
  void close() { isKept = false; }
  bool keepsConnection() const { return isKept && !service.isDraining; }
  int replyStatus() const { return status; }
  void setStatus(int code) { status = code; }
  asio::any_io_executor executor() { return stream.get_executor(); }
  Strand strand() { return stream.get_executor(); }

private:
  Task<void> send(int code, std::string body, std::string allowedMethods);

  Stream &stream;
  beast::flat_buffer &buffer;
  const Service &service;
  bool isKept;
  int status = 0; // 0 = nothing was sent
};

} // namespace kimi::http
