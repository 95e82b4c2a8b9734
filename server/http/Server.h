// Accepts connections, runs them on a few threads, and goes down in order.
//
//   Server server({.port = 0}, model, loop);
//   TRY(server.listen());      // server.port() is known from here
//   server.run();              // until drain() or a signal, and all is quiet
#pragma once

#include "server/http/Connection.h"

#include <boost/asio/signal_set.hpp>

#include <mutex>
#include <set>

namespace kimi::http {

struct ServerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 30000; // 0 = any free one
  std::string apiKey;
  std::chrono::milliseconds shutdownTimeout{30'000};
  Timeouts timeouts;
  uint64_t maxBodyBytes = 32ull << 20;
  int numThreads = 2; // for parsing, tokenizing and sockets; the engine has its own
  bool handlesSignals = false;
};

class Server {
public:
  Server(ServerOptions options, const api::ServedModel &model, schedule::EngineLoop &loop);
  ~Server();

  /// Errors name host and port.
  Status listen();
  uint16_t port() const { return boundPort; }
  std::string url() const;

  /// Serves until drained: SIGTERM and SIGINT (with handlesSignals) or drain() start that.
  void run();
  /// Any thread: accepts nothing more and lets replies in the making end, for at most the shutdown timeout.
  void drain();

private:
  Task<void> accept();
  Task<void> serve(std::shared_ptr<Connection> connection);
  Task<void> limitDrain();
  void beginDrain();
  void waitForSignal();

  const ServerOptions options;
  Service service;
  Router router;
  asio::io_context context;
  asio::ip::tcp::acceptor acceptor;
  asio::signal_set signals;
  Strand control; // guards acceptor, connections and the drain
  asio::steady_timer drainTimer;
  std::set<std::shared_ptr<Connection>> connections;
  uint16_t boundPort = 0;
};

} // namespace kimi::http
