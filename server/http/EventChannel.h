// Carries engine events from the engine's thread to a connection's strand, with a bound.
#pragma once

#include "server/http/Net.h"
#include "server/schedule/Request.h"

#include <atomic>
#include <deque>
#include <memory>
#include <vector>

namespace kimi::http {

class EventChannel : public std::enable_shared_from_this<EventChannel> {
public:
  struct Item {
    size_t choice = 0;
    schedule::Event event;
  };

  EventChannel(Strand strand, int64_t mostWaiting) : strand(std::move(strand)), mostWaiting(mostWaiting) {}

  /// Any thread; never blocks. Beyond the bound tokens are dropped and the channel has overflowed.
  void push(size_t choice, const schedule::Event &event);

  /// On the strand: what has arrived, after waiting for something; empty when nothing came for `patience`.
  Task<std::vector<Item>> receive(std::chrono::milliseconds patience);

  bool hasOverflowed() const { return overflowed; }

private:
  void arrive(Item item);

  Strand strand;
  const int64_t mostWaiting;
  std::atomic<int64_t> numWaiting = 0; // drawn tokens that nobody has received
  std::atomic<bool> overflowed = false;
  std::vector<Item> arrived; // strand only, like `sleeper`
  asio::steady_timer *sleeper = nullptr;
};

} // namespace kimi::http
