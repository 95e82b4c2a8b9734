// The one thread that steps the engine. Requests come in from any thread, events go out from this one.
//
//   EngineLoop loop(engine, {});
//   auto id = loop.submit(request);   // any thread; request.onEvent is called on the engine's thread
//   loop.cancel(*id);                 // any thread
//
// Thread rule: every public member may be called from any thread, the destructor from one.
#pragma once

#include "server/schedule/Scheduler.h"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace kimi::schedule {

struct LoopOptions {
  SchedulerOptions scheduler;
  int64_t maxWaiting = 1024; // requests that wait for admission; more are refused
  /// Hears of engine errors and of books that do not balance. Called on the engine's thread.
  std::function<void(std::string_view)> onProblem;
};

/// Why a request was not taken.
struct Refusal {
  enum class Reason { Invalid, QueueFull, Closed };
  Reason reason = Reason::Invalid;
  std::string message;
};

class EngineLoop {
public:
  EngineLoop(Engine &engine, LoopOptions options);
  ~EngineLoop() { stop(); }
  EngineLoop(const EngineLoop &) = delete;

  const RequestLimits &requestLimits() const { return limits; }

  /// Gives the request its id. Everything that can be refused is refused here, before the first event.
  std::expected<RequestId, Refusal> submit(Request request);
  void cancel(RequestId id);

  /// From now on nothing is accepted; what is running goes on.
  void close();
  /// Closes, cancels whatever is left and joins the thread. Safe to repeat.
  void stop();
  bool isStopping() const;

  /// As of the last step, requests and cancellations not yet seen by the scheduler included.
  Load load() const;

private:
  void run();
  bool takeMessages();
  void report(const Status &status) const;

  Scheduler scheduler; // the thread's own, except for its constant limits
  const RequestLimits limits;
  const LoopOptions options;

  mutable std::mutex mutex; // guards all below
  std::condition_variable wake;
  std::vector<Request> inbox;
  std::vector<RequestId> cancelled;
  Load snapshot;
  RequestId nextId = 1;
  bool isClosed = false, shouldStop = false;

  std::jthread thread;
};

} // namespace kimi::schedule
