#include "server/schedule/EngineLoop.h"

#include <fmt/format.h>

namespace kimi::schedule {

EngineLoop::EngineLoop(Engine &engine, LoopOptions theOptions)
    : scheduler(engine, theOptions.scheduler), limits(scheduler.requestLimits()),
      options(std::move(theOptions)), snapshot(scheduler.load()), thread([this] { run(); }) {}

std::expected<RequestId, Refusal> EngineLoop::submit(Request request) {
  if (Status status = checkRequest(request, limits); !status)
    return std::unexpected(Refusal{Refusal::Reason::Invalid, status.error().message});
  std::lock_guard lock(mutex);
  if (isClosed)
    return std::unexpected(Refusal{Refusal::Reason::Closed, "the server is shutting down"});
  int64_t numWaiting = snapshot.numWaiting + static_cast<int64_t>(inbox.size());
  if (numWaiting >= options.maxWaiting)
    return std::unexpected(
        Refusal{Refusal::Reason::QueueFull, fmt::format("the queue is full: {} requests wait, at most {} may",
                                                        numWaiting, options.maxWaiting)});
  request.id = nextId++;
  inbox.push_back(std::move(request));
  wake.notify_one();
  return inbox.back().id;
}

void EngineLoop::cancel(RequestId id) {
  std::lock_guard lock(mutex);
  cancelled.push_back(id);
  wake.notify_one();
}

void EngineLoop::close() {
  std::lock_guard lock(mutex);
  isClosed = true;
}

void EngineLoop::stop() {
  {
    std::lock_guard lock(mutex);
    isClosed = shouldStop = true;
    wake.notify_one();
  }
  if (thread.joinable())
    thread.join();
}

Load EngineLoop::load() const {
  std::lock_guard lock(mutex);
  Load load = snapshot;
  load.numWaiting += static_cast<int64_t>(inbox.size());
  load.numCancels += static_cast<int64_t>(cancelled.size());
  return load;
}

bool EngineLoop::isStopping() const {
  std::lock_guard lock(mutex);
  return shouldStop;
}

void EngineLoop::report(const Status &status) const {
  if (!status && options.onProblem)
    options.onProblem(status.error().message);
}

/// Hands the scheduler what has arrived, after waiting for it when there is nothing to step. False = stop.
bool EngineLoop::takeMessages() {
  std::vector<Request> arrived;
  std::vector<RequestId> leaving;
  bool stopping;
  {
    std::unique_lock lock(mutex);
    snapshot = scheduler.load();
    auto hasMessage = [this] { return !inbox.empty() || !cancelled.empty() || shouldStop; };
    if (!scheduler.hasWork())
      wake.wait(lock, hasMessage);
    arrived.swap(inbox);
    leaving.swap(cancelled);
    stopping = shouldStop;
    snapshot.numWaiting += static_cast<int64_t>(arrived.size());
  }
  for (Request &request : arrived)
    scheduler.add(std::move(request));
  for (RequestId id : leaving)
    scheduler.cancel(id);
  return !stopping;
}

void EngineLoop::run() {
  while (takeMessages()) {
    if (!scheduler.hasWork())
      continue;
    report(scheduler.step());
    if (!scheduler.hasWork())
      report(scheduler.checkBooks());
  }
  scheduler.cancelAll();
  report(scheduler.checkBooks());
  std::lock_guard lock(mutex);
  snapshot = scheduler.load();
}

} // namespace kimi::schedule
