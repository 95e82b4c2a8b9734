// What the tests of server/schedule share: a scheduler on a fake engine, and what its requests heard.
#pragma once

#include "server/schedule/Scheduler.h"
#include "tests/server/FakeEngine.h"

#include <gtest/gtest.h>

#include <map>

namespace kimi::schedule::test {

using kimi::test::FakeEngine;
using kimi::test::FakeOptions;

// Collects what each request hears.
struct Heard {
  std::vector<int32_t> tokens;
  std::vector<Event> scores;
  std::vector<Event> events;
  std::optional<Finish> finish;
};

inline std::vector<int32_t> promptOf(int32_t first, int64_t length) {
  std::vector<int32_t> prompt(length);
  for (int64_t i = 0; i < length; ++i)
    prompt[i] = (first + 13 * static_cast<int32_t>(i)) % 300;
  return prompt;
}

/// The tokens a greedy request must get, whatever else runs.
inline std::vector<int32_t> expectedTokens(std::vector<int32_t> history, int64_t count) {
  std::vector<int32_t> drawn;
  for (; count > 0; --count) {
    drawn.push_back(kimi::test::fakeNextToken(history, 320));
    history.push_back(drawn.back());
  }
  return drawn;
}

class SchedulerTest : public testing::Test {
protected:
  void start(FakeOptions fake = {}, SchedulerOptions options = {}) {
    engine = std::make_unique<FakeEngine>(fake);
    scheduler = std::make_unique<Scheduler>(*engine, options);
  }

  Request request(RequestId id, std::vector<int32_t> prompt, int64_t maxTokens) {
    Request made;
    made.id = id;
    made.prompt = std::move(prompt);
    made.maxTokens = maxTokens;
    made.sampling.temperature = 0;
    made.onEvent = [this](const Event &event) {
      Heard &to = heard[event.request];
      EXPECT_FALSE(to.finish) << "an event after the last";
      to.events.push_back(event);
      if (event.fromPrompt)
        to.scores.push_back(event);
      else if (event.token >= 0)
        to.tokens.push_back(event.token);
      to.finish = event.finish;
    };
    return made;
  }

  void add(Request made) {
    ASSERT_TRUE(checkRequest(made, scheduler->requestLimits()));
    scheduler->add(std::move(made));
  }

  void step() {
    Status status = scheduler->step();
    ASSERT_TRUE(status) << status.error().message;
    Status books = scheduler->checkBooks();
    ASSERT_TRUE(books) << books.error().message;
  }

  void runAll() {
    for (int guard = 0; scheduler->hasWork(); ++guard) {
      ASSERT_LT(guard, 10000) << "does not end";
      ASSERT_NO_FATAL_FAILURE(step());
    }
    Load load = scheduler->load();
    EXPECT_EQ(load.numFreeBlocks, load.numBlocks);
  }

  std::unique_ptr<FakeEngine> engine;
  std::unique_ptr<Scheduler> scheduler;
  std::map<RequestId, Heard> heard;
};

} // namespace kimi::schedule::test
