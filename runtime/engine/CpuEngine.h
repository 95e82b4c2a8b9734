// The engine of CPU targets: compiled kernels on a thread pool, weights mapped from the artifact's files, one
// arena.
#pragma once

#include "runtime/engine/PlanEngine.h"
#include "runtime/engine/Program.h"

#include <memory>

namespace kimi::runtime {

class CpuEngine final : public PlanEngine {
public:
  static Expected<std::unique_ptr<Engine>> load(Artifact artifact, const EngineOptions &options,
                                                int numThreads);

private:
  CpuEngine(Artifact artifact, int numThreads);
  Expected<MachineCeilings> measureCeilings() override;
  Status loadCode();
  Status allocate(const EngineOptions &options);
  Expected<std::vector<KernelFunction>> findKernels() const;
  Status resolvePrograms();
  Status run(uint32_t entry, const Dims &dims) override;

  // Destroyed from the bottom up: nothing runs when the memory below it goes.
  std::vector<Code> code;
  HostBuffer arena;
  std::vector<HostBuffer> caches; // as in the plan
  std::vector<Program> programs;  // as the plan's entries
  ThreadPool pool;
};

} // namespace kimi::runtime
