#include "server/http/EventChannel.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gtest/gtest.h>

#include <thread>

using namespace kimi;
using namespace kimi::http;

namespace {

schedule::Event eventOf(int32_t token, bool isLast = false) {
  schedule::Event event;
  event.token = token;
  if (isLast)
    event.finish = schedule::Finish{};
  return event;
}

Task<void> receiveAll(EventChannel &channel, std::vector<int32_t> &tokens) {
  for (bool isOver = false; !isOver;)
    for (const EventChannel::Item &item : co_await channel.receive(std::chrono::hours(1))) {
      tokens.push_back(item.event.token);
      isOver = item.event.finish.has_value();
    }
}

TEST(EventChannelTest, CarriesEventsInOrderFromAnotherThread) {
  asio::io_context context;
  Strand strand = asio::make_strand(context);
  auto channel = std::make_shared<EventChannel>(strand, 1000000);
  std::vector<int32_t> tokens;
  asio::co_spawn(strand, receiveAll(*channel, tokens), asio::detached);
  std::jthread engine([&] {
    for (int32_t token = 0; token < 5000; ++token)
      channel->push(0, eventOf(token, token == 4999));
  });
  context.run();
  ASSERT_EQ(tokens.size(), 5000u);
  for (int32_t token = 0; token < 5000; ++token)
    EXPECT_EQ(tokens[token], token);
  EXPECT_FALSE(channel->hasOverflowed());
}

TEST(EventChannelTest, ItsBoundDropsTokensButNeverTheEnd) {
  asio::io_context context;
  Strand strand = asio::make_strand(context);
  auto channel = std::make_shared<EventChannel>(strand, 3);
  for (int32_t token = 0; token < 10; ++token)
    channel->push(0, eventOf(token, token == 9));
  EXPECT_TRUE(channel->hasOverflowed());
  std::vector<int32_t> tokens;
  asio::co_spawn(strand, receiveAll(*channel, tokens), asio::detached);
  context.run();
  EXPECT_EQ(tokens, (std::vector<int32_t>{0, 1, 2, 9}));
}

TEST(EventChannelTest, ScoredPromptTokensDoNotCount) {
  asio::io_context context;
  auto channel = std::make_shared<EventChannel>(asio::make_strand(context), 3);
  schedule::Event scored = eventOf(1);
  scored.fromPrompt = true;
  for (int i = 0; i < 100; ++i)
    channel->push(0, scored);
  EXPECT_FALSE(channel->hasOverflowed());
}

} // namespace
