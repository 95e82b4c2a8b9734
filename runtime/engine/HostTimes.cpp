#include "runtime/engine/HostTimes.h"

#include <algorithm>
#include <numeric>

namespace kimi::runtime {

static constexpr struct {
  const char *name, *is;
} kParts[] = {{"check", "the inputs; choosing an entry"},
              {"upload", "asking for the copies of inputs"},
              {"start", "asking for the graph, or the launches"},
              {"download", "asking for the copies of outputs"},
              {"caller", "filling the inputs, reading the outputs"},
              {"host", "all of these"},
              {"wait", "for the device: not the host's time"}};
static_assert(std::size(kParts) == HostTimes::kNumParts);

void HostTimes::endStep(const StepTimes &step) {
  double host = secondsSince(mark) - step.wait;
  double caller = host - step.check - step.upload - step.start - step.download;
  const double values[kNumParts] = {step.check, step.upload, step.start, step.download,
                                    caller,     host,        step.wait};
  for (size_t i = 0; i < kNumParts; ++i)
    samples[i].push_back(values[i]);
  numCopies += double(step.copies);
  numCopiedBytes += step.copiedBytes;
  mark = Clock::now();
}

HostTimes::Part HostTimes::part(Which which) const {
  Part part{.name = kParts[which].name, .is = kParts[which].is};
  std::vector<double> sorted = samples[which];
  if (sorted.empty())
    return part;
  std::ranges::sort(sorted);
  part.mean = perStep(std::accumulate(sorted.begin(), sorted.end(), 0.0));
  part.median = sorted[sorted.size() / 2];
  part.longest = sorted.back();
  return part;
}

} // namespace kimi::runtime
