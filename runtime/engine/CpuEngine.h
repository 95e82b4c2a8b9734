// The engine of CPU targets: compiled kernels on a thread pool, weights used where they are mapped, one
// arena.
#pragma once

#include "runtime/cpu/Code.h"
#include "runtime/cpu/ThreadPool.h"
#include "runtime/engine/PlanEngine.h"

#include <memory>

namespace kimi::runtime {

class CpuEngine final : public PlanEngine {
public:
  static Expected<std::unique_ptr<Engine>> load(Artifact artifact, const EngineOptions &options,
                                                int numThreads);

private:
  CpuEngine(Artifact artifact, const EngineOptions &options, int numThreads);
  Status readWeights(const EngineOptions &options);
  Status loadCode();
  Status findKernels();
  Status allocate(const EngineOptions &options);
  Addresses addresses() const;
  Status run(size_t index) override;

  // Destroyed from the bottom up: nothing runs when the memory below it goes.
  std::vector<Code> code;
  std::vector<KernelFunction> functions; // as the plan's kernels
  HostBuffer arena;
  std::vector<HostBuffer> caches; // as in the plan
  ThreadPool pool;
};

} // namespace kimi::runtime
