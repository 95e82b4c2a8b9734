// A reply that grows: server-sent events over chunked HTTP/1.1, or until close for HTTP/1.0.
#pragma once

#include "server/http/Exchange.h"

#include <span>

namespace kimi::http {

class SseStream {
public:
  explicit SseStream(Exchange &exchange) : exchange(exchange) {}

  bool isOpen() const { return opened; }
  /// Each chunk becomes one event; together they are one write. Opens the stream. False = the client is gone.
  Task<bool> send(std::span<const std::string> chunks);
  /// A line that clients ignore, so that nobody between takes the connection for dead.
  Task<bool> sendComment();
  /// The last chunks, `[DONE]` and the end of the body.
  Task<void> finish(std::span<const std::string> chunks);

private:
  bool isChunked() const { return exchange.request.version() >= 11; }
  Task<bool> writeText(std::string text, bool isLast);
  std::string header() const;

  Exchange &exchange;
  bool opened = false;
};

} // namespace kimi::http
