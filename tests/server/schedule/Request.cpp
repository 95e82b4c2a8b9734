#include "tests/server/schedule/SchedulerTest.h"

using namespace kimi;
using namespace kimi::schedule;
using namespace kimi::schedule::test;

namespace {

using RequestTest = SchedulerTest;

TEST_F(RequestTest, WhatCannotRunIsRefusedWithBothNumbers) {
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

} // namespace
