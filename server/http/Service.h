// What handlers work with.
#pragma once

#include "server/api/Generation.h"
#include "server/schedule/EngineLoop.h"

#include <atomic>
#include <chrono>

namespace kimi::http {

struct Timeouts {
  std::chrono::milliseconds idle{75'000};      // between two requests of a connection
  std::chrono::milliseconds read{60'000};      // for a body that has begun
  std::chrono::milliseconds write{30'000};     // for a client that does not take what it asked for
  std::chrono::milliseconds keepAlive{15'000}; // silence in a stream before a comment line
};

struct Service {
  const api::ServedModel &model;
  schedule::EngineLoop &loop;
  std::string apiKey; // empty = everybody may
  Timeouts timeouts;
  uint64_t maxBodyBytes = 32ull << 20;
  int64_t maxUnsentTokens = 4096; // of one reply; a client further behind is dropped
  std::atomic<bool> isDraining = false;
};

} // namespace kimi::http
