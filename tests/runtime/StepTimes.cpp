// What the host does between two decode steps, timed: checking a full batch of a K2-sized step table, and
// saying which bytes of it go to the device. Not a test: prints numbers for a person.
#include "runtime/base/Clock.h"
#include "runtime/engine/StepCheck.h"
#include "runtime/engine/StepTable.h"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <functional>

using namespace kimi;
using namespace kimi::runtime;

/// The median of many calls, in µs.
static double medianMicroseconds(const std::function<void()> &call) {
  std::vector<double> times;
  for (int round = 0; round < 400; ++round) {
    auto start = Clock::now();
    call();
    times.push_back(secondsSince(start) * 1e6);
  }
  std::ranges::nth_element(times, times.begin() + times.size() / 2);
  return times[times.size() / 2];
}

/// A decode step whose sequences all hold `context` tokens.
static void fill(StepInputs &in, int64_t batch, int32_t context, int64_t tableBlocks) {
  in.numTokens = in.numSequences = in.numLogitRows = batch;
  int32_t blocks = context / kBlockTokens + 1;
  for (int64_t s = 0; s < batch; ++s) {
    in.tokenIds[s] = int32_t(s);
    in.positions[s] = context;
    in.tokenSequences[s] = in.logitRows[s] = int32_t(s);
    in.sequenceOffsets[s + 1] = int32_t(s) + 1;
    for (int32_t block = 0; block < blocks; ++block)
      in.blockTables[s * tableBlocks + block] = int32_t(s) * blocks + block;
    in.cacheSlots[s] = (int32_t(s) * blocks + context / kBlockTokens) * kBlockTokens + context % kBlockTokens;
  }
}

int main() {
  constexpr int32_t kContext = 4096;
  ModelInfo model;
  model.vocabulary = 163840;
  model.contextLength = 131072;
  const Limits limits{.maxTokens = 8192,
                      .maxSequences = 128,
                      .maxLogitRows = 128,
                      .maxTableBlocks = 2048,
                      .maxBiasEntries = 128 * 300,
                      .maxPenaltyEntries = 128 * 4096,
                      .cacheBlocks = 16384};
  auto table = StepTable::create(limits, model.vocabulary);
  if (!table)
    return EXIT_FAILURE;
  for (int64_t batch : {1, 16, 128}) {
    double prepare =
        medianMicroseconds([&] { fill(table->inputs(), batch, kContext, limits.maxTableBlocks); });
    for (bool isDevice : {false, true}) {
      const StepInputs &in = table->inputs();
      int64_t columns = limits.maxTableBlocks;
      double check = medianMicroseconds([&] {
        bool isGood = checkStep(in, limits, model).has_value();
        columns = isDevice ? table->layout().usedColumns(in) : limits.maxTableBlocks;
        if (!isGood || !checkBlockTables(in, limits, columns))
          std::abort();
      });
      uint64_t bytes = columns < limits.maxTableBlocks ? uint64_t(batch * columns * 4) : 0;
      for (const ByteRange &range : table->layout().usedInputs(in, columns).ranges())
        bytes += range.bytes;
      fmt::print("batch {:3}, context {}, {:6}: prepare {:5.2f} µs, check {:5.2f} µs", batch, kContext,
                 isDevice ? "device" : "cpu", prepare, check);
      fmt::print("{}\n", isDevice ? fmt::format(", {} bytes to copy", bytes) : "");
    }
  }
}
