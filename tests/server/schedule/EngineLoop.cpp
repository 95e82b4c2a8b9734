#include "server/schedule/EngineLoop.h"
#include "tests/server/FakeEngine.h"

#include <gtest/gtest.h>

#include <future>
#include <semaphore>

using namespace kimi;
using namespace kimi::schedule;
using test::FakeEngine;

namespace {

// A request whose end can be waited for.
struct Waiter {
  std::vector<int32_t> tokens;
  std::promise<Finish> finished;
  std::future<Finish> future = finished.get_future();

  Request request(std::vector<int32_t> prompt, int64_t maxTokens) {
    Request made;
    made.prompt = std::move(prompt);
    made.maxTokens = maxTokens;
    made.sampling.temperature = 0;
    made.onEvent = [this](const Event &event) {
      if (event.token >= 0)
        tokens.push_back(event.token);
      if (event.finish)
        finished.set_value(*event.finish);
    };
    return made;
  }
};

TEST(EngineLoopTest, RequestsFromManyThreadsAllEnd) {
  FakeEngine engine({.cacheBlocks = 8});
  std::vector<std::string> problems;
  std::vector<Waiter> waiters(24);
  {
    EngineLoop loop(engine, {.scheduler = {},
                             .onProblem = [&](std::string_view problem) { problems.emplace_back(problem); }});
    std::vector<std::jthread> threads;
    for (int32_t thread = 0; thread < 4; ++thread)
      threads.emplace_back([&, thread] {
        for (int32_t i = 0; i < 6; ++i) {
          int32_t index = 6 * thread + i;
          ASSERT_TRUE(loop.submit(waiters[index].request({index, 1, 2}, 70)));
        }
      });
    threads.clear();
    for (int32_t index = 0; index < 24; ++index) {
      EXPECT_EQ(waiters[index].future.get().reason, FinishReason::Length);
      std::vector<int32_t> history = {index, 1, 2};
      for (int32_t token : waiters[index].tokens) {
        EXPECT_EQ(token, test::fakeNextToken(history, 320));
        history.push_back(token);
      }
      EXPECT_EQ(history.size(), 73u);
    }
  }
  EXPECT_TRUE(problems.empty()) << problems.front();
}

TEST(EngineLoopTest, CancelEndsARunningRequest) {
  FakeEngine engine;
  EngineLoop loop(engine, {});
  Waiter waiter;
  auto id = loop.submit(waiter.request({1}, 1000));
  loop.cancel(*id);
  EXPECT_EQ(waiter.future.get().reason, FinishReason::Cancelled);
}

TEST(EngineLoopTest, AFullQueueAndAClosedDoorRefuse) {
  FakeEngine engine;
  std::binary_semaphore inStep(0), mayStep(0);
  bool isFirst = true;
  engine.beforeStep = [&] {
    if (std::exchange(isFirst, false)) {
      inStep.release();
      mayStep.acquire();
    }
  };
  EngineLoop loop(engine, {.scheduler = {}, .maxWaiting = 2, .onProblem = {}});
  std::vector<Waiter> waiters(4);
  ASSERT_TRUE(loop.submit(waiters[0].request({1}, 3)));
  inStep.acquire(); // request 0 runs; the thread waits inside its step
  auto second = loop.submit(waiters[1].request({1}, 3));
  // As of the last snapshot request 0 counts as waiting, so one place is left.
  auto third = loop.submit(waiters[2].request({1}, 3));
  ASSERT_TRUE(second);
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().reason, Refusal::Reason::QueueFull);
  EXPECT_EQ(third.error().message, "the queue is full: 2 requests wait, at most 2 may");
  loop.close();
  auto fourth = loop.submit(waiters[3].request({1}, 3));
  ASSERT_FALSE(fourth);
  EXPECT_EQ(fourth.error().reason, Refusal::Reason::Closed);
  mayStep.release();
  EXPECT_EQ(waiters[0].future.get().reason, FinishReason::Length);
  EXPECT_EQ(waiters[1].future.get().reason, FinishReason::Length);
}

TEST(EngineLoopTest, StopCancelsWhatIsLeft) {
  FakeEngine engine;
  Waiter waiter;
  EngineLoop loop(engine, {});
  ASSERT_TRUE(loop.submit(waiter.request({1}, 1000)));
  loop.stop();
  EXPECT_EQ(waiter.future.get().reason, FinishReason::Cancelled);
  EXPECT_EQ(loop.load().numFreeBlocks, loop.load().numBlocks);
  EXPECT_FALSE(loop.submit(waiter.request({1}, 1)));
}

TEST(EngineLoopTest, ProblemsAreReported) {
  FakeEngine engine;
  engine.failWith = "the device is gone";
  std::promise<std::string> problem;
  Waiter waiter;
  EngineLoop loop(engine, {.scheduler = {}, .onProblem = [&](std::string_view text) {
                             problem.set_value(std::string(text));
                           }});
  ASSERT_TRUE(loop.submit(waiter.request({1}, 5)));
  EXPECT_EQ(problem.get_future().get(), "the device is gone");
  EXPECT_EQ(waiter.future.get().reason, FinishReason::Failed);
}

} // namespace
