// How far a long loop over bytes got: how fast, how long still. Thread rule: Progress::advance may be called from any
// thread; RateMeter belongs to one.
#pragma once

#include "llvm/ADT/StringRef.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>

namespace kimi::emit {

/// Bytes per second over the last ten seconds: what was slow an hour ago says nothing about the time left.
class RateMeter {
public:
  /// `done` bytes in all were done `seconds` after the start; both never fall.
  void add(double seconds, uint64_t done);
  /// 0 while it is not known.
  double bytesPerSecond() const;

private:
  struct Sample {
    double seconds;
    uint64_t done;
  };
  std::deque<Sample> samples = {{0, 0}};
};

/// "packing 1.2 GB of 8.0 GB (15 %), 810.0 MB/s, 9 s left".
std::string progressText(llvm::StringRef what, uint64_t done, uint64_t total, double bytesPerSecond);

/// "9 s", "4 min 05 s", "2 h 03 min".
std::string printSeconds(double seconds);

/// "1.2 GB", "512 bytes".
std::string printBytes(uint64_t bytes);

enum class ProgressTo {
  nobody,
  terminal, // one line, overwritten in place
  log       // a line now and then
};
/// Where standard error goes.
ProgressTo progressToStandardError();

class Progress {
public:
  Progress(std::string what, uint64_t totalBytes, ProgressTo to);
  /// Wipes the line off a terminal.
  ~Progress();
  void advance(uint64_t bytes);

private:
  using Clock = std::chrono::steady_clock;
  std::mutex mutex;
  const std::string what;
  const uint64_t totalBytes;
  const ProgressTo to;
  const Clock::time_point start = Clock::now();
  Clock::time_point lastShown = start;
  uint64_t doneBytes = 0;
  RateMeter rate;
};

} // namespace kimi::emit
