// A blocking HTTP client on Boost.Beast. Its deadline only guards against a hang.
#pragma once

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/json.hpp>

#include <sys/socket.h>
#include <sys/time.h>

#include <memory>
#include <string>
#include <vector>

namespace kimi::test {

namespace wire = boost::beast::http;
namespace json = boost::json;

struct Response {
  int status = 0;
  std::string body;
  wire::fields headers;

  json::value parsed() const { return json::parse(body); }
  std::string errorField(const char *field) const {
    const json::value parsedBody = parsed();
    const json::value &value = parsedBody.at("error").at(field);
    return value.is_string() ? std::string(value.as_string()) : json::serialize(value);
  }
  std::string header(wire::field field) const { return std::string(headers[field]); }

  /// The payloads of a stream's events.
  std::vector<std::string> events() const {
    std::vector<std::string> found;
    for (size_t at = 0; (at = body.find("data: ", at)) != std::string::npos;) {
      size_t end = body.find("\n\n", at);
      found.push_back(body.substr(at + 6, end - at - 6));
      at = end;
    }
    return found;
  }
  /// The text of a whole chat reply.
  std::string message(size_t choice = 0) const {
    return std::string(parsed().at("choices").at(choice).at("message").at("content").as_string());
  }
  /// The text of a chat stream.
  std::string content() const {
    std::string text;
    for (const std::string &event : events()) {
      if (event == "[DONE]")
        break;
      json::value chunk = json::parse(event);
      for (const json::value &choice : chunk.at("choices").as_array())
        if (const json::value *part = choice.at("delta").as_object().if_contains("content"))
          text += part->as_string();
    }
    return text;
  }
};

class Client {
public:
  explicit Client(uint16_t port) : context(std::make_unique<boost::asio::io_context>()), socket(*context) {
    socket.connect({boost::asio::ip::make_address("127.0.0.1"), port});
    timeval guard{.tv_sec = 60, .tv_usec = 0};
    ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &guard, sizeof(guard));
  }

  void send(wire::verb method, const std::string &path, const std::string &body = "",
            const std::string &key = "", unsigned version = 11) {
    wire::request<wire::string_body> request{method, path, version};
    request.set(wire::field::host, "test");
    if (!key.empty())
      request.set(wire::field::authorization, "Bearer " + key);
    request.body() = body;
    request.prepare_payload();
    wire::write(socket, request);
  }
  void sendRaw(std::string_view bytes) {
    boost::asio::write(socket, boost::asio::buffer(bytes.data(), bytes.size()));
  }

  Response receive() {
    wire::response_parser<wire::string_body> parser;
    parser.body_limit(boost::none);
    wire::read(socket, buffer, parser);
    return {static_cast<int>(parser.get().result_int()), parser.get().body(), parser.get().base()};
  }

  /// Reads until the text has come; false at the end of the connection.
  bool receiveUntil(std::string_view text) {
    std::string got;
    char byte;
    boost::system::error_code error;
    while (got.find(text) == std::string::npos) {
      if (socket.read_some(boost::asio::buffer(&byte, 1), error) == 0)
        return false;
      got += byte;
    }
    return true;
  }

  Response post(const std::string &path, const std::string &body, const std::string &key = "") {
    send(wire::verb::post, path, body, key);
    return receive();
  }
  Response get(const std::string &path, const std::string &key = "") {
    send(wire::verb::get, path, "", key);
    return receive();
  }
  void close() { socket.close(); }

private:
  std::unique_ptr<boost::asio::io_context> context;
  boost::asio::ip::tcp::socket socket;
  boost::beast::flat_buffer buffer;
};

} // namespace kimi::test
