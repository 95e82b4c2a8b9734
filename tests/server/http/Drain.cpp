#include "tests/server/http/Running.h"

using namespace kimi;
using namespace kimi::test;

namespace {

TEST(DrainTest, RepliesInTheMakingEndAndNothingNewStarts) {
  RunningServer running(gated());
  Client busy = running.client(), idle = running.client();
  EXPECT_EQ(idle.get("/health").status, 200);
  busy.send(wire::verb::post, "/v1/chat/completions", chatBody("a", 30, true));
  running.gate.allow(1);
  ASSERT_TRUE(busy.receiveUntil("\"content\":\"\"")); // the stream is open
  running.server->drain();
  EXPECT_THROW(idle.receive(), boost::system::system_error); // closed
  EXPECT_THROW(running.client().get("/health"), boost::system::system_error);
  running.gate.open();
  EXPECT_TRUE(busy.receiveUntil("[DONE]"));
  running.thread.join(); // run() has returned
}

TEST(DrainTest, AnIdleServerEndsAtOnce) {
  RunningServer running;
  running.client().get("/health");
  running.server->drain();
  running.thread.join();
}

TEST(DrainTest, TheTimeoutEndsWhatIsLeft) {
  RunningOptions options = gated();
  options.server.shutdownTimeout = std::chrono::milliseconds(1);
  RunningServer running(options);
  Client whole = running.client(), stream = running.client();
  whole.send(wire::verb::post, "/v1/chat/completions", chatBody("a", 900, false));
  stream.send(wire::verb::post, "/v1/chat/completions", chatBody("b", 900, true));
  while (running.loop->load().numWaiting < 2)
    std::this_thread::yield();
  running.server->drain();
  while (!running.loop->isStopping())
    std::this_thread::yield();
  running.gate.open(); // the step that was running ends, and no other starts
  for (Client *client : {&whole, &stream}) {
    Response response = client->receive();
    // The stream may have sent its first token already.
    EXPECT_EQ(response.status, client == &stream && response.status == 200 ? 200 : 503);
    EXPECT_NE(response.body.find("the server is shutting down"), std::string::npos);
  }
  running.thread.join();
}

TEST(DrainTest, APortInUseIsAnError) {
  RunningServer running;
  api::ServedModel served = running.model.served();
  FakeEngine engine;
  schedule::EngineLoop loop(engine, {});
  http::ServerOptions options;
  options.port = running.server->port();
  http::Server other(options, served, loop);
  Status status = other.listen();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message,
            fmt::format("cannot listen on 127.0.0.1:{}: Address already in use", running.server->port()));
}

} // namespace
