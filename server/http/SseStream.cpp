#include "server/http/SseStream.h"

#include <boost/asio/write.hpp>
#include <fmt/format.h>

namespace kimi::http {

std::string SseStream::header() const {
  return fmt::format("HTTP/1.{} 200 OK\r\nServer: kimic/" KIMI_VERSION
                     "\r\nContent-Type: text/event-stream\r\n"
                     "Cache-Control: no-cache\r\nX-Accel-Buffering: no\r\n{}Connection: {}\r\n\r\n",
                     isChunked() ? 1 : 0, isChunked() ? "Transfer-Encoding: chunked\r\n" : "",
                     isChunked() && exchange.keepsConnection() ? "keep-alive" : "close");
}

Task<bool> SseStream::writeText(std::string text, bool isLast) {
  std::string bytes;
  if (!opened) {
    opened = true;
    exchange.setStatus(200);
    bytes = header();
    if (!isChunked())
      exchange.close(); // the end of the body is the end of the connection
  }
  if (isChunked())
    bytes += fmt::format("{:x}\r\n{}\r\n{}", text.size(), text, isLast ? "0\r\n\r\n" : "");
  else
    bytes += text;
  co_return co_await exchange.write(asio::buffer(bytes));
}

static std::string events(std::span<const std::string> chunks) {
  std::string text;
  for (const std::string &chunk : chunks)
    text += fmt::format("data: {}\n\n", chunk);
  return text;
}

Task<bool> SseStream::send(std::span<const std::string> chunks) { return writeText(events(chunks), false); }

Task<bool> SseStream::sendComment() { return writeText(": waiting\n\n", false); }

Task<void> SseStream::finish(std::span<const std::string> chunks) {
  co_await writeText(events(chunks) + "data: [DONE]\n\n", true);
}

} // namespace kimi::http
