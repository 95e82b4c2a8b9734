// A server on a free port with a fake engine behind it, running until the test ends.
#pragma once

#include "server/http/Server.h"
#include "tests/server/FakeEngine.h"
#include "tests/server/TinyModel.h"
#include "tests/server/http/Client.h"

#include <spdlog/spdlog.h>

#include <semaphore>
#include <thread>

namespace kimi::test {

/// Lets the engine's steps through one by one, or all of them.
class Gate {
public:
  void pass() {
    if (!isOpen)
      steps.acquire();
  }
  void allow(int count = 1) { steps.release(count); }
  void open() {
    isOpen = true;
    steps.release(1);
  }

private:
  std::counting_semaphore<> steps{0};
  std::atomic<bool> isOpen = false;
};

/// A chat prompt fits one step: tests count steps.
inline FakeOptions wideSteps() {
  FakeOptions options;
  options.maxTokens = 256;
  return options;
}

struct RunningOptions {
  http::ServerOptions server;
  schedule::LoopOptions loop;
  FakeOptions engine = wideSteps();
  bool gated = false;
};

inline RunningOptions gated() {
  RunningOptions options;
  options.gated = true;
  return options;
}

class RunningServer {
public:
  explicit RunningServer(RunningOptions options = {}) : engine(options.engine), served(model.served()) {
    spdlog::set_level(spdlog::level::off);
    if (options.gated)
      engine.beforeStep = [this] { gate.pass(); };
    // Speaks in letters: the text of a reply is as checkable as its ids.
    engine.next = [](std::span<const int32_t> history) { return 'a' + fakeNextToken(history, 26); };
    options.loop.onProblem = [this](std::string_view problem) { problems.emplace_back(problem); };
    loop.emplace(engine, options.loop);
    served.limits = loop->requestLimits();
    options.server.port = 0;
    server.emplace(options.server, served, *loop);
    Status status = server->listen();
    EXPECT_TRUE(status) << status.error().message;
    thread = std::jthread([this] { server->run(); });
  }

  ~RunningServer() {
    gate.open();
    server->drain();
    if (thread.joinable())
      thread.join();
    EXPECT_TRUE(problems.empty()) << problems.front();
  }

  Client client() { return Client(server->port()); }

  /// Waits, without a clock, until the engine is at rest.
  void waitUntilIdle() {
    for (schedule::Load load = loop->load(); load.numRunning + load.numWaiting > 0; load = loop->load())
      std::this_thread::yield();
  }

  /// The letters that greedy decoding gives for these prompt ids.
  std::string expectedText(std::vector<int32_t> history, int64_t count) const {
    std::string text;
    for (; count > 0; --count) {
      history.push_back(engine.next(history));
      text += static_cast<char>(history.back());
    }
    return text;
  }
  std::string expectedChat(std::string_view user, int64_t count) const {
    json::object body = {{"messages", json::array{json::object{{"role", "user"}, {"content", user}}}}};
    return expectedText(model.text->tokenizer.encode(model.text->chatFormat.render(body)->pieces), count);
  }

  TinyModel model;
  FakeEngine engine;
  Gate gate;
  std::vector<std::string> problems;
  api::ServedModel served;
  std::optional<schedule::EngineLoop> loop;
  std::optional<http::Server> server;
  std::jthread thread;
};

inline std::string chatBody(std::string_view user, int64_t maxTokens, bool stream,
                            std::string_view more = "") {
  return fmt::format(
      R"({{"model": "tiny", "messages": [{{"role": "user", "content": "{}"}}], "temperature": 0,
                          "max_tokens": {}, "stream": {} {}}})",
      user, maxTokens, stream, more);
}

} // namespace kimi::test
