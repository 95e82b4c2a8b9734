#include "server/http/Server.h"

#include "server/http/Handlers.h"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <thread>

namespace kimi::http {

Server::Server(ServerOptions theOptions, const api::ServedModel &model, schedule::EngineLoop &loop)
    : options(std::move(theOptions)), service{.model = model,
                                              .loop = loop,
                                              .apiKey = options.apiKey,
                                              .timeouts = options.timeouts,
                                              .maxBodyBytes = options.maxBodyBytes},
      router(service), context(options.numThreads), acceptor(context), signals(context),
      control(asio::make_strand(context)), drainTimer(control) {
  addGenerateHandlers(router, service);
  addTextHandlers(router, service);
  addInfoHandlers(router, service);
}

// The engine's thread holds channels into this server's context: it must be quiet before the context goes.
Server::~Server() { service.loop.stop(); }

Status Server::listen() {
  boost::system::error_code error;
  asio::ip::tcp::resolver resolver(context);
  auto found =
      resolver.resolve(options.host, std::to_string(options.port), asio::ip::tcp::resolver::passive, error);
  if (error || found.empty())
    return failure(fmt::format("host {} cannot be resolved: {}", options.host, error.message()));
  asio::ip::tcp::endpoint endpoint = *found.begin();
  auto tryStep = [&](auto step) {
    if (!error)
      step();
  };
  tryStep([&] { acceptor.open(endpoint.protocol(), error); });
  tryStep([&] { acceptor.set_option(asio::socket_base::reuse_address(true), error); });
  tryStep([&] { acceptor.bind(endpoint, error); });
  tryStep([&] { acceptor.listen(asio::socket_base::max_listen_connections, error); });
  if (error)
    return failure(fmt::format("cannot listen on {}:{}: {}", options.host, options.port, error.message()));
  boundPort = acceptor.local_endpoint().port();
  return {};
}

std::string Server::url() const {
  bool isV6 = options.host.find(':') != std::string::npos;
  return fmt::format("http://{}{}{}:{}", isV6 ? "[" : "", options.host, isV6 ? "]" : "", boundPort);
}

void Server::run() {
  if (options.handlesSignals) {
    signals.add(SIGTERM);
    signals.add(SIGINT);
    waitForSignal();
  }
  asio::co_spawn(control, accept(), asio::detached);
  std::vector<std::jthread> threads;
  for (int thread = 1; thread < options.numThreads; ++thread)
    threads.emplace_back([this] { context.run(); });
  context.run();
}

Task<void> Server::accept() {
  while (!service.isDraining) {
    auto [error, socket] = co_await acceptor.async_accept(await);
    if (service.isDraining)
      break;
    if (error) {
      // Most likely no file descriptor is left; connections that end will free some.
      spdlog::warn("accept: {}", error.message());
      asio::steady_timer pause(control, std::chrono::milliseconds(100));
      co_await pause.async_wait(await);
      continue;
    }
    Strand strand = asio::make_strand(context);
    auto connection = std::make_shared<Connection>(std::move(socket), strand, router, service);
    connections.insert(connection);
    asio::co_spawn(strand, serve(connection), asio::detached);
  }
}

// One connection's fault never reaches another.
Task<void> Server::serve(std::shared_ptr<Connection> connection) {
  try {
    co_await connection->run();
  } catch (const std::exception &error) {
    spdlog::error("a connection failed: {}", error.what());
  }
  asio::post(control, [this, connection] {
    connections.erase(connection);
    if (service.isDraining && connections.empty())
      drainTimer.cancel();
  });
}

void Server::waitForSignal() {
  signals.async_wait([this](boost::system::error_code error, int number) {
    if (error)
      return;
    spdlog::info("{} received: draining {}", number == SIGTERM ? "SIGTERM" : "SIGINT", url());
    drain();
    // A second one ends at once.
    signals.async_wait([this](boost::system::error_code again, int) {
      if (!again)
        context.stop();
    });
  });
}

void Server::drain() {
  asio::post(control, [this] { beginDrain(); });
}

void Server::beginDrain() {
  if (service.isDraining.exchange(true))
    return;
  service.loop.close();
  boost::system::error_code ignored;
  acceptor.close(ignored);
  for (const std::shared_ptr<Connection> &connection : connections)
    asio::post(connection->strand(), [connection] { connection->drain(); });
  asio::co_spawn(control, limitDrain(), asio::detached);
}

Task<void> Server::limitDrain() {
  if (!connections.empty()) {
    drainTimer.expires_after(options.shutdownTimeout);
    co_await drainTimer.async_wait(await);
  }
  if (!connections.empty()) {
    spdlog::warn("{} connections are still open after {} ms: ending them", connections.size(),
                 options.shutdownTimeout.count());
    service.loop.stop(); // every reply in the making gets its error
    drainTimer.expires_after(std::chrono::seconds(3));
    co_await drainTimer.async_wait(await);
  }
  signals.cancel();
  if (!connections.empty())
    context.stop();
}

} // namespace kimi::http
