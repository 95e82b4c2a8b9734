#include "tests/server/http/Running.h"

using namespace kimi;
using namespace kimi::test;

namespace {

/// Waits, without a clock, until the server has told the engine's loop of a hang-up. The gate holds the
/// engine, so nothing but a hang-up can end a request meanwhile.
void waitForCancel(RunningServer &running) {
  while (running.loop->load().numCancels == 0)
    std::this_thread::yield();
}

// The engine is at rest and every block is back, long before the request's tokens would have been drawn.
void expectReleased(RunningServer &running) {
  running.gate.open();
  running.waitUntilIdle();
  schedule::Load load = running.loop->load();
  EXPECT_EQ(load.numFreeBlocks, load.numBlocks);
  EXPECT_LT(load.numSteps, 10);
}

TEST(DisconnectTest, LeavingAStreamEndsTheRequest) {
  RunningServer running(gated());
  Client client = running.client();
  client.send(wire::verb::post, "/v1/chat/completions", chatBody("hello", 900, true));
  running.gate.allow(3);
  ASSERT_TRUE(client.receiveUntil("assistant"));
  client.close();
  waitForCancel(running);
  expectReleased(running);
}

TEST(DisconnectTest, LeavingAWholeReplyEndsTheRequest) {
  RunningServer running(gated());
  Client client = running.client();
  client.send(wire::verb::post, "/v1/chat/completions", chatBody("hello", 900, false));
  while (running.loop->load().numWaiting == 0)
    std::this_thread::yield();
  client.close();
  waitForCancel(running);
  expectReleased(running);
}

TEST(DisconnectTest, OthersGoOn) {
  RunningServer running(gated());
  Client leaving = running.client(), staying = running.client();
  leaving.send(wire::verb::post, "/v1/chat/completions", chatBody("leaving", 900, true));
  staying.send(wire::verb::post, "/v1/chat/completions", chatBody("staying", 30, false));
  running.gate.allow(2);
  ASSERT_TRUE(leaving.receiveUntil("assistant"));
  leaving.close();
  waitForCancel(running);
  running.gate.open();
  EXPECT_EQ(staying.receive().message(), running.expectedChat("staying", 30));
}

TEST(DisconnectTest, LeavingAfterTheFinishReasonIsNoError) {
  RunningServer running;
  for (int i = 0; i < 5; ++i) {
    Client client = running.client();
    client.send(wire::verb::post, "/v1/chat/completions",
                chatBody("a", 3, true, R"(, "stream_options": {"include_usage": true})"));
    ASSERT_TRUE(client.receiveUntil("\"finish_reason\":\"length\""));
  }
  EXPECT_EQ(running.client().get("/health").status, 200);
}

} // namespace
