#include "server/http/EventChannel.h"

#include <boost/asio/post.hpp>

namespace kimi::http {

void EventChannel::push(size_t choice, const schedule::Event &event) {
  // Scored prompt tokens come in bursts of a whole step and are bounded by the prompt.
  if (!event.fromPrompt && ++numWaiting > mostWaiting)
    overflowed = true;
  if (overflowed && !event.finish)
    return;
  asio::post(strand, [self = shared_from_this(), item = Item{choice, event}]() mutable {
    self->arrive(std::move(item));
  });
}

void EventChannel::arrive(Item item) {
  arrived.push_back(std::move(item));
  if (sleeper)
    sleeper->cancel();
}

Task<std::vector<EventChannel::Item>> EventChannel::receive(std::chrono::milliseconds patience) {
  if (arrived.empty()) {
    asio::steady_timer timer(strand, patience);
    sleeper = &timer;
    co_await timer.async_wait(await);
    sleeper = nullptr;
  }
  std::vector<Item> items = std::move(arrived);
  arrived.clear();
  for (const Item &item : items)
    numWaiting -= item.event.fromPrompt ? 0 : 1;
  co_return items;
}

} // namespace kimi::http
