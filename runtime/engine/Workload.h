// A synthetic batch to measure an engine with: sequences of pseudo-random tokens, prefilled in chunks, then
// decoded greedily all at once.
#pragma once

#include "runtime/kimi.h"

#include <functional>
#include <vector>

namespace kimi::runtime {

struct WorkloadSize {
  int64_t batch = 1;   // sequences
  int64_t context = 1; // prompt tokens of each
  int64_t tokens = 1;  // decode steps
  int64_t cached = 0;  // positions of each that the cache is taken to hold, whatever is there; below context
};

class Workload {
public:
  /// Errors name what does not fit: the batch, the context or the cache.
  static Expected<Workload> create(Engine &engine, const WorkloadSize &size);

  /// Computes all prompts and samples each sequence's first token. `progress` is called between steps. May be
  /// called again: it starts from the beginning.
  Status prefill(const std::function<void(int64_t doneTokens)> &progress);

  /// One token for every sequence. At most size.tokens times after a prefill.
  Status decode();

private:
  Workload(Engine &engine, const WorkloadSize &size);
  void beginStep();
  void addTokens(int64_t sequence, int64_t count, bool wantsLogits);
  Status runStep();
  int32_t tokenAt(int64_t sequence, int64_t position) const;

  Engine *engine;
  WorkloadSize size;
  int64_t blocksPerSequence;
  std::vector<int64_t> lengths;      // tokens of each sequence in the cache
  std::vector<int32_t> lastTokens;   // sampled, not yet in the cache
  std::vector<int64_t> tableRows;    // sequence that each row of the block table holds; -1 = none
  std::vector<int64_t> rowSequences; // sequence of each logit row of the running step
};

} // namespace kimi::runtime
