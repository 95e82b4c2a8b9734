// Where the host's time between steps goes, collected over some steps by whoever runs them. Thread rule: the engine's.
#pragma once

#include "runtime/base/Clock.h"
#include "runtime/kimi.h"

#include <array>
#include <vector>

namespace kimi::runtime {

class HostTimes {
public:
  enum Which { kCheck, kUpload, kStart, kDownload, kCaller, kHost, kWait, kNumParts };

  /// Seconds of one step.
  struct Part {
    const char *name = "";
    const char *is = "";
    double mean = 0, median = 0, longest = 0;
  };

  /// The caller's part of the first step begins now.
  void begin() { mark = Clock::now(); }

  /// A step has ended, and what the caller does after it. The next one begins when this returns.
  void endStep(const StepTimes &step);

  /// Zeros before the first step. kHost is all but kWait; kCaller what the engine does not time.
  Part part(Which which) const;

  /// Of inputs, per step.
  double copies() const { return perStep(numCopies); }
  double copiedBytes() const { return perStep(double(numCopiedBytes)); }

private:
  double perStep(double sum) const { return samples[0].empty() ? 0 : sum / double(samples[0].size()); }

  Clock::time_point mark;
  std::array<std::vector<double>, kNumParts> samples;
  double numCopies = 0;
  uint64_t numCopiedBytes = 0;
};

} // namespace kimi::runtime
