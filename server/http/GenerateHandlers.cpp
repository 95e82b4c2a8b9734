#include "server/api/ChatReply.h"
#include "server/api/CompletionReply.h"
#include "server/http/EventChannel.h"
#include "server/http/Handlers.h"
#include "server/http/SseStream.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/json/serialize.hpp>
#include <spdlog/spdlog.h>

namespace kimi::http {

namespace {

/// The engine requests of one reply. However the reply ends, none of them runs on.
class Running {
public:
  Running(schedule::EngineLoop &loop, std::shared_ptr<EventChannel> channel)
      : loop(loop), channel(std::move(channel)) {}
  Running(const Running &) = delete;
  ~Running() {
    for (schedule::RequestId id : ids)
      loop.cancel(id);
  }

  std::optional<schedule::Refusal> submit(std::vector<schedule::Request> requests) {
    for (schedule::Request &request : requests) {
      request.onEvent = [channel = channel, choice = ids.size()](const schedule::Event &event) {
        channel->push(choice, event);
      };
      std::expected<schedule::RequestId, schedule::Refusal> id = loop.submit(std::move(request));
      if (!id)
        return id.error();
      ids.push_back(*id);
    }
    return std::nullopt;
  }
  void cancel(size_t choice) { loop.cancel(ids[choice]); }

private:
  schedule::EngineLoop &loop;
  std::shared_ptr<EventChannel> channel;
  std::vector<schedule::RequestId> ids;
};

struct Generating {
  Exchange &exchange;
  Service &service;
  api::Reply &reply;
  EventChannel &channel;
  Running &running;

  bool goesOn() const { return !reply.isDone() && !reply.error() && !channel.hasOverflowed(); }
};

/// Waits for events and digests them; false when none came for a while.
Task<bool> advance(Generating &work, std::vector<std::string> &chunks) {
  std::vector<EventChannel::Item> items = co_await work.channel.receive(work.service.timeouts.keepAlive);
  for (const EventChannel::Item &item : items) {
    bool wasHit = work.reply.hitStopString(item.choice);
    work.reply.push(item.choice, item.event, chunks);
    if (!wasHit && work.reply.hitStopString(item.choice))
      work.running.cancel(item.choice);
  }
  co_return !items.empty();
}

Task<void> sendWhole(Generating &work) {
  std::vector<std::string> chunks;
  while (work.goesOn())
    co_await advance(work, chunks);
  if (std::optional<api::ApiError> error = work.reply.error())
    co_return co_await work.exchange.fail(*error);
  co_await work.exchange.reply(work.reply.whole());
}

Task<void> sendStream(Generating &work) {
  SseStream stream(work.exchange);
  while (work.goesOn()) {
    std::vector<std::string> chunks;
    bool heard = co_await advance(work, chunks);
    bool isSent = true;
    if (!heard)
      isSent = co_await stream.sendComment();
    else if (!chunks.empty())
      isSent = co_await stream.send(chunks);
    if (!isSent)
      co_return;
  }
  std::vector<std::string> last;
  if (std::optional<api::ApiError> error = work.reply.error()) {
    // Before the first token there is no stream yet and the error can have its status.
    if (!stream.isOpen())
      co_return co_await work.exchange.fail(*error);
    last.push_back(boost::json::serialize(error->toJson()));
  } else if (work.channel.hasOverflowed()) {
    spdlog::warn("a client is more than {} tokens behind: dropped", work.service.maxUnsentTokens);
    co_return work.exchange.close();
  } else if (std::optional<std::string> usage = work.reply.usageChunk()) {
    last.push_back(std::move(*usage));
  }
  co_await stream.finish(last);
}

/// `||` waits for one side to return, so an exception must not get out.
Task<void> sendReply(Generating &work) {
  try {
    if (work.reply.streams())
      co_await sendStream(work);
    else
      co_await sendWhole(work);
  } catch (const std::exception &error) {
    // A hang-up cancels what this coroutine waits for; anything else is a fault of ours.
    if (auto *system = dynamic_cast<const boost::system::system_error *>(&error);
        !system || system->code() != asio::error::operation_aborted)
      spdlog::error("a reply failed: {}", error.what());
    work.exchange.close();
  }
}

Task<void> generate(Exchange &exchange, Service &service, std::unique_ptr<api::Reply> reply) {
  using namespace asio::experimental::awaitable_operators;
  // Whole replies are read as fast as they come: the bound is for clients that do not take their stream.
  auto channel = std::make_shared<EventChannel>(exchange.strand(),
                                                reply->streams() ? service.maxUnsentTokens : INT64_MAX);
  Running running(service.loop, channel);
  if (std::optional<schedule::Refusal> refusal = running.submit(reply->takeRequests()))
    co_return co_await exchange.fail(api::ApiError::refused(*refusal));
  Generating work{exchange, service, *reply, *channel, running};
  Task<void> sending = sendReply(work);
  Task<void> watching = exchange.untilHangUp();
  co_await (std::move(sending) || std::move(watching));
  if (!reply->isDone())
    spdlog::debug("{} ended before its reply", exchange.path);
}

template <typename RequestType, typename ReplyType> Task<void> handle(Exchange &exchange, Service &service) {
  api::Result<boost::json::object> body = exchange.body();
  if (!body)
    return exchange.fail(body.error());
  api::Result<RequestType> request = RequestType::read(*body, service.model);
  if (!request)
    return exchange.fail(request.error());
  return generate(exchange, service, std::make_unique<ReplyType>(service.model, std::move(*request)));
}

} // namespace

void addGenerateHandlers(Router &router, Service &service) {
  router.add(wire::verb::post, "/v1/chat/completions", Access::NeedsKey, [&service](Exchange &exchange) {
    return handle<api::ChatRequest, api::ChatReply>(exchange, service);
  });
  router.add(wire::verb::post, "/v1/completions", Access::NeedsKey, [&service](Exchange &exchange) {
    return handle<api::CompletionRequest, api::CompletionReply>(exchange, service);
  });
}

} // namespace kimi::http
