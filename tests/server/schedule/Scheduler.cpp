#include "server/schedule/Scheduler.h"
#include "tests/server/FakeEngine.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>

using namespace kimi;
using namespace kimi::schedule;
using test::FakeEngine;
using test::FakeOptions;

namespace {

// Collects what each request hears.
struct Heard {
  std::vector<int32_t> tokens;
  std::vector<Event> scores;
  std::vector<Event> events;
  std::optional<Finish> finish;
};

std::vector<int32_t> promptOf(int32_t first, int64_t length) {
  std::vector<int32_t> prompt(length);
  for (int64_t i = 0; i < length; ++i)
    prompt[i] = (first + 13 * static_cast<int32_t>(i)) % 300;
  return prompt;
}

/// The tokens a greedy request must get, whatever else runs.
std::vector<int32_t> expectedTokens(std::vector<int32_t> history, int64_t count) {
  std::vector<int32_t> drawn;
  for (; count > 0; --count) {
    drawn.push_back(test::fakeNextToken(history, 320));
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

TEST_F(SchedulerTest, OneRequestGetsItsTokens) {
  start();
  add(request(1, promptOf(5, 10), 6));
  runAll();
  EXPECT_EQ(heard[1].tokens, expectedTokens(promptOf(5, 10), 6));
  EXPECT_EQ(heard[1].finish->reason, FinishReason::Length);
  EXPECT_EQ(heard[1].finish->account.numPromptTokens, 10);
  EXPECT_EQ(heard[1].finish->account.numOutputTokens, 6);
  EXPECT_EQ(engine->numSteps, 6); // the prompt's step draws the first token
  EXPECT_EQ(heard[1].events.back().position, 15);
}

TEST_F(SchedulerTest, RequestsJoinAndLeaveBetweenSteps) {
  start();
  add(request(1, promptOf(1, 20), 12));
  step();
  step();
  add(request(2, promptOf(2, 3), 2));
  step(); // 1 decodes, 2's prompt joins
  EXPECT_EQ(scheduler->load().numRunning, 2);
  EXPECT_EQ(engine->inputs().numTokens, 4);
  step(); // 2 draws its last token and leaves
  EXPECT_EQ(scheduler->load().numRunning, 1);
  add(request(3, promptOf(3, 7), 5));
  runAll();
  EXPECT_EQ(heard[1].tokens, expectedTokens(promptOf(1, 20), 12));
  EXPECT_EQ(heard[2].tokens, expectedTokens(promptOf(2, 3), 2));
  EXPECT_EQ(heard[3].tokens, expectedTokens(promptOf(3, 7), 5));
  EXPECT_EQ(engine->numSteps, 12); // the others rode along
}

TEST_F(SchedulerTest, LongPromptsRunInChunksBesideDecodes) {
  start();
  add(request(1, promptOf(1, 4), 8));
  step();
  add(request(2, promptOf(9, 200), 3));
  step();
  EXPECT_EQ(engine->inputs().numTokens, 64); // 1 decode + 63 of the prompt
  EXPECT_EQ(engine->inputs().numLogitRows, 1);
  EXPECT_EQ(heard[1].tokens.size(), 2u);
  runAll();
  EXPECT_EQ(heard[1].tokens, expectedTokens(promptOf(1, 4), 8));
  EXPECT_EQ(heard[2].tokens, expectedTokens(promptOf(9, 200), 3));
}

TEST_F(SchedulerTest, ChunkAndBatchOptionsBindEachStep) {
  start({}, {.maxSequences = 2, .maxBatchedTokens = 24, .maxPrefillChunk = 10});
  for (RequestId id = 1; id <= 4; ++id)
    add(request(id, promptOf(static_cast<int32_t>(id), 25), 4));
  step();
  EXPECT_EQ(engine->inputs().numSequences, 2);
  EXPECT_EQ(engine->inputs().numTokens, 20);
  EXPECT_EQ(scheduler->load().numWaiting, 2);
  engine->afterFill = [&] {
    EXPECT_LE(engine->inputs().numTokens, 24);
    EXPECT_LE(engine->inputs().numSequences, 2);
  };
  runAll();
  for (RequestId id = 1; id <= 4; ++id)
    EXPECT_EQ(heard[id].tokens, expectedTokens(promptOf(static_cast<int32_t>(id), 25), 4));
}

TEST_F(SchedulerTest, StopIdsEndARequestAndAreReported) {
  start();
  std::vector<int32_t> expected = expectedTokens(promptOf(5, 10), 4);
  Request made = request(1, promptOf(5, 10), 50);
  made.stopIds = {expected[3], 319};
  add(std::move(made));
  runAll();
  EXPECT_EQ(heard[1].tokens, expected);
  EXPECT_EQ(heard[1].finish->reason, FinishReason::Stop);
}

TEST_F(SchedulerTest, TheContextEndsARequest) {
  start({.contextLength = 32});
  add(request(1, promptOf(5, 30), 1000));
  runAll();
  EXPECT_EQ(heard[1].tokens.size(), 2u);
  EXPECT_EQ(heard[1].finish->reason, FinishReason::Length);
}

TEST_F(SchedulerTest, TheNewestGivesWayWhenBlocksRunOut) {
  // Three sequences that grow to 3 blocks each, 6 blocks in all.
  start({.cacheBlocks = 6});
  for (RequestId id = 1; id <= 3; ++id)
    add(request(id, promptOf(static_cast<int32_t>(id), 60), 100));
  runAll();
  EXPECT_GT(scheduler->load().numPreemptions, 0);
  for (RequestId id = 1; id <= 3; ++id)
    EXPECT_EQ(heard[id].tokens, expectedTokens(promptOf(static_cast<int32_t>(id), 60), 100)) << id;
}

TEST_F(SchedulerTest, ARecomputedRequestDrawsAsIfNothingHappened) {
  auto drawAll = [&](int64_t cacheBlocks) {
    heard.clear();
    start({.cacheBlocks = cacheBlocks});
    for (RequestId id = 1; id <= 3; ++id) {
      Request made = request(id, promptOf(static_cast<int32_t>(id), 60), 100);
      made.sampling.temperature = 1;
      made.sampling.seed = 77 + id;
      made.promptLogprobs = true;
      add(std::move(made));
    }
    runAll();
    return std::pair(heard[3].tokens, heard[3].scores.size());
  };
  auto roomy = drawAll(32), tight = drawAll(6);
  EXPECT_EQ(roomy, tight);
  EXPECT_EQ(tight.second, 59u);
}

TEST_F(SchedulerTest, WaitingRequestsAreAdmittedWhenTheirBlocksAreFree) {
  start({.cacheBlocks = 4});
  add(request(1, promptOf(1, 150), 3)); // 3 blocks
  add(request(2, promptOf(2, 100), 3)); // 2 blocks: must wait
  add(request(3, promptOf(3, 10), 3));  // would fit, but came later
  step();
  step();
  EXPECT_EQ(scheduler->load().numRunning, 1);
  EXPECT_EQ(scheduler->load().numFreeBlocks, 1);
  runAll();
  EXPECT_EQ(scheduler->load().numPreemptions, 0);
  EXPECT_EQ(heard[3].tokens, expectedTokens(promptOf(3, 10), 3));
}

TEST_F(SchedulerTest, CancelFreesWaitingAndRunning) {
  start({}, {.maxSequences = 1});
  add(request(1, promptOf(1, 100), 500));
  add(request(2, promptOf(2, 10), 5));
  add(request(3, promptOf(3, 10), 5));
  step();
  scheduler->cancel(1);
  scheduler->cancel(2);
  scheduler->cancel(99);
  EXPECT_EQ(heard[1].finish->reason, FinishReason::Cancelled);
  EXPECT_EQ(heard[2].finish->reason, FinishReason::Cancelled);
  EXPECT_EQ(scheduler->load().numFreeBlocks, 32);
  runAll();
  EXPECT_EQ(heard[3].tokens, expectedTokens(promptOf(3, 10), 5));
}

TEST_F(SchedulerTest, SeedAndDrawIndexReachTheTable) {
  start();
  Request made = request(1, promptOf(1, 5), 3);
  made.sampling.temperature = 0.5f;
  made.sampling.topP = 0.9f;
  made.sampling.minP = 0.1f;
  made.sampling.topK = 7;
  made.sampling.seed = 0x1122334455667788ull;
  add(std::move(made));
  std::vector<uint32_t> draws;
  engine->afterFill = [&] {
    const StepInputs &in = engine->inputs();
    draws.push_back(in.drawIndex[0]);
    EXPECT_EQ(in.seeds[0], 0x55667788u);
    EXPECT_EQ(in.seeds[1], 0x11223344u);
    EXPECT_EQ(in.temperature[0], 0.5f);
    EXPECT_EQ(in.topP[0], 0.9f);
    EXPECT_EQ(in.minP[0], 0.1f);
    EXPECT_EQ(in.topK[0], 7);
  };
  runAll();
  EXPECT_EQ(draws, (std::vector<uint32_t>{0, 1, 2}));
}

TEST_F(SchedulerTest, PenaltiesListDistinctTokensWithOutputCounts) {
  start();
  engine->next = [](auto) { return 42; };
  Request made = request(1, {7, 8, 7, 42}, 4);
  made.sampling.repetitionPenalty = 1.2f;
  made.sampling.frequencyPenalty = 0.5f;
  add(std::move(made));
  Request other = request(2, {1, 2}, 4);
  other.sampling.presencePenalty = 1;
  add(std::move(other));
  step();
  step();
  step();
  const StepInputs &in = engine->inputs();
  ASSERT_EQ(in.numPenaltyEntries, 4);
  EXPECT_EQ(in.penaltyOffsets[1], 3);
  EXPECT_EQ(in.penaltyOffsets[2], 4);
  EXPECT_EQ(std::vector(in.penaltyTokens.begin(), in.penaltyTokens.begin() + 4),
            (std::vector<int32_t>{7, 8, 42, 42}));
  EXPECT_EQ(std::vector(in.penaltyCounts.begin(), in.penaltyCounts.begin() + 4),
            (std::vector<int32_t>{0, 0, 2, 2}));
  EXPECT_EQ(in.repetitionPenalty[0], 1.2f);
  EXPECT_EQ(in.presencePenalty[1], 1.0f);
  runAll();
}

TEST_F(SchedulerTest, BiasEntriesAreSharedOutAmongSteps) {
  start({.maxBiasEntries = 3});
  for (RequestId id = 1; id <= 2; ++id) {
    Request made = request(id, {1, 2, 3}, 2);
    made.sampling.logitBias = {{50 + static_cast<int32_t>(id), 100.f}, {3, -1.f}};
    add(std::move(made));
  }
  runAll(); // two do not fit together
  EXPECT_EQ(heard[1].tokens, (std::vector<int32_t>{51, 51}));
  EXPECT_EQ(heard[2].tokens, (std::vector<int32_t>{52, 52}));
}

TEST_F(SchedulerTest, PenaltiesThatOutgrowTheTableFailTheRequest) {
  start({.maxPenaltyEntries = 8});
  Request made = request(1, promptOf(1, 3), 100);
  made.sampling.presencePenalty = 1;
  add(std::move(made));
  runAll();
  EXPECT_EQ(heard[1].finish->reason, FinishReason::Failed);
  EXPECT_EQ(heard[1].finish->message.find(
                "the request does not fit a step any more: 9 penalty entries of at most 8"),
            0u)
      << heard[1].finish->message;
}

TEST_F(SchedulerTest, PromptTokensAreScoredOnceEach) {
  start({.maxLogitRows = 4}); // rows bind before tokens
  std::vector<int32_t> prompt = promptOf(4, 11);
  Request made = request(1, prompt, 1);
  made.promptLogprobs = true;
  made.sampling.numTopLogprobs = 2;
  add(std::move(made));
  runAll();
  ASSERT_EQ(heard[1].scores.size(), 10u);
  for (size_t i = 0; i < 10; ++i) {
    const Event &score = heard[1].scores[i];
    EXPECT_EQ(score.token, prompt[i + 1]);
    EXPECT_EQ(score.position, static_cast<int64_t>(i + 1));
    EXPECT_EQ(score.logprob, test::fakeLogprob(prompt[i + 1]));
    EXPECT_EQ(score.top.size(), 2u);
  }
  EXPECT_EQ(heard[1].tokens, expectedTokens(prompt, 1));
}

TEST_F(SchedulerTest, MaxTokensZeroComputesThePromptOnly) {
  start();
  Request made = request(1, promptOf(4, 70), 0);
  made.promptLogprobs = true;
  add(std::move(made));
  add(request(2, promptOf(4, 1024), 0)); // the whole context
  runAll();
  EXPECT_EQ(heard[1].scores.size(), 69u);
  EXPECT_TRUE(heard[1].tokens.empty());
  EXPECT_EQ(heard[1].finish->reason, FinishReason::Length);
  EXPECT_EQ(heard[2].finish->reason, FinishReason::Length);
}

TEST_F(SchedulerTest, ForcedTokensReplaceTheDrawnOnes) {
  start();
  Request made = request(1, {5, 6, 7}, 3);
  made.forced = {100, 101};
  made.logitPositions = {0, 2, 4};
  std::vector<std::pair<int64_t, int32_t>> rows;
  made.onLogits = [&](int64_t position, std::span<const float> logits) {
    ASSERT_EQ(logits.size(), 320u);
    rows.emplace_back(position, static_cast<int32_t>(std::ranges::max_element(logits) - logits.begin()));
  };
  add(std::move(made));
  runAll();
  auto last = expectedTokens({5, 6, 7, 100, 101}, 1)[0];
  EXPECT_EQ(heard[1].tokens, (std::vector<int32_t>{100, 101, last}));
  std::vector<std::pair<int64_t, int32_t>> expected = {
      {0, expectedTokens({5}, 1)[0]}, {2, expectedTokens({5, 6, 7}, 1)[0]}, {4, last}};
  EXPECT_EQ(rows, expected);
}

TEST_F(SchedulerTest, NonFiniteRowsFailTheirRequestOnly) {
  start();
  engine->notFiniteAfter = 301;
  add(request(1, {1, 2, 301}, 5));
  add(request(2, {1, 2, 3}, 5));
  runAll();
  EXPECT_EQ(heard[1].finish->reason, FinishReason::Failed);
  EXPECT_EQ(heard[1].finish->message, "the model's logits at position 2 are not finite");
  EXPECT_TRUE(heard[1].tokens.empty());
  EXPECT_EQ(heard[2].tokens, expectedTokens({1, 2, 3}, 5));
}

TEST_F(SchedulerTest, AnEngineErrorFailsTheStepsRequests) {
  start({}, {.maxSequences = 1});
  add(request(1, {1, 2}, 5));
  add(request(2, {3, 4}, 2));
  engine->failWith = "the device is gone";
  Status status = scheduler->step();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, "the device is gone");
  EXPECT_EQ(heard[1].finish->message, "the device is gone");
  runAll();
  EXPECT_EQ(heard[2].tokens, expectedTokens({3, 4}, 2));
}

TEST_F(SchedulerTest, BlockTablesKeepNothingOfTheirLastUser) {
  start();
  add(request(1, promptOf(1, 300), 1));
  runAll();
  add(request(2, promptOf(2, 10), 2));
  engine->afterFill = [&] {
    auto table = engine->inputs().blockTables.first(16);
    EXPECT_TRUE(std::all_of(table.begin() + 1, table.end(), [](int32_t block) { return block == 0; }));
  };
  runAll();
}

TEST_F(SchedulerTest, ARandomSeedIsNeverTheSame) {
  start();
  Request made = request(1, {1}, 1);
  EXPECT_NE(Sequence(made, 10, Clock::now()).seed, Sequence(made, 10, Clock::now()).seed);
}

TEST_F(SchedulerTest, WhatCannotRunIsRefusedWithBothNumbers) {
  start({.contextLength = 128, .maxBiasEntries = 1, .maxPenaltyEntries = 4, .cacheBlocks = 8},
        {.maxModelLen = 100});
  auto refusal = [&](Request made) {
    Status status = checkRequest(made, scheduler->requestLimits());
    return status ? std::string("accepted") : status.error().message;
  };
  EXPECT_EQ(refusal(request(1, {}, 1)), "the prompt is empty; at least one token is needed");
  EXPECT_EQ(refusal(request(1, promptOf(1, 99), 1)), "accepted");
  EXPECT_EQ(refusal(request(1, promptOf(1, 100), 1)),
            "the prompt has 100 tokens; the model's context holds 100, one of them for the reply");
  EXPECT_EQ(refusal(request(1, {1, 320}, 1)),
            "the prompt holds token id 320; the vocabulary has ids 0 to 319");
  Request made = request(1, {1}, 1);
  made.sampling.logitBias = {{1, 1.f}, {2, 1.f}};
  EXPECT_EQ(refusal(made), "logit_bias has 2 entries; at most 1 fit a step");
  made.sampling.logitBias = {{400, 1.f}};
  EXPECT_EQ(refusal(made), "logit_bias names token id 400; the vocabulary has ids 0 to 319");
  made = request(1, {1, 2, 3, 4, 5}, 1);
  made.sampling.repetitionPenalty = 2;
  EXPECT_EQ(refusal(made), "repetition_penalty needs the prompt's 5 distinct tokens; at most 4 fit a step");
  made = request(1, {1}, 1);
  made.sampling.numTopLogprobs = 21;
  EXPECT_EQ(refusal(made), "top_logprobs is 21; it must be 0 to 20");
}

TEST_F(SchedulerTest, TheCacheBoundsTheContext) {
  start({.contextLength = 1024, .cacheBlocks = 2});
  EXPECT_EQ(scheduler->requestLimits().maxModelLen, 128);
}

} // namespace
