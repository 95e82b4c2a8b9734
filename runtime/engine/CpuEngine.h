// The engine of CPU targets: compiled kernels on a thread pool, weights mapped from the artifact's files, one
// arena.
#pragma once

#include "runtime/engine/Artifact.h"
#include "runtime/engine/Program.h"
#include "runtime/kimi.h"

#include <memory>
#include <optional>

namespace kimi::runtime {

class CpuEngine final : public Engine {
public:
  static Expected<std::unique_ptr<Engine>> load(Artifact artifact, const EngineOptions &options,
                                                int numThreads);

  const ModelInfo &model() const override { return modelInfo; }
  const Limits &limits() const override { return stepLimits; }
  StepInputs &inputs() override { return table.inputs(); }
  Status step() override;
  const StepOutputs &outputs() const override { return table.outputs(); }
  void setProfiling(bool on) override;
  std::vector<KernelTime> profile() const override { return profileTimes.times(); }

private:
  CpuEngine(Artifact artifact, int numThreads);
  Status loadCode();
  Status allocate(const EngineOptions &options);
  Expected<std::vector<KernelFunction>> findKernels() const;
  Status resolvePrograms();
  Dims currentDims() const;
  Expected<const Program *> chooseProgram(const Dims &dims) const;

  // Destroyed from the bottom up: nothing runs when the memory below it goes.
  Artifact artifact;
  std::vector<Code> code;
  HostBuffer arena;
  std::vector<HostBuffer> caches; // as in the plan
  StepTable table;
  ModelInfo modelInfo;
  Limits stepLimits;                                  // what a caller may rely on
  Limits bufferCapacity;                              // the largest of each over all entries
  std::vector<Program> decodePrograms, mixedPrograms; // smallest first
  bool poison = false;
  bool profiling = false;
  Profile profileTimes;
  ThreadPool pool;
};

} // namespace kimi::runtime
