// What engines of all targets share: the opened artifact, the step table in host memory, limits, and which entry runs a
// step.
#pragma once

#include "runtime/engine/Artifact.h"
#include "runtime/engine/CacheSize.h"
#include "runtime/engine/Dims.h"
#include "runtime/engine/Profile.h"
#include "runtime/engine/StepTable.h"
#include "runtime/kimi.h"

#include <vector>

namespace kimi::runtime {

class PlanEngine : public Engine {
public:
  const ModelInfo &model() const override { return modelInfo; }
  const Limits &limits() const override { return stepLimits; }
  StepInputs &inputs() override { return table.inputs(); }
  const StepOutputs &outputs() const override { return table.outputs(); }
  Status step() override;
  void setProfiling(bool on) override;
  std::vector<KernelTime> profile() const override { return profileTimes.times(); }

protected:
  explicit PlanEngine(Artifact artifact);

  /// Chooses the cache's size for `need`, and makes the step table.
  Status sizeStep(const EngineOptions &options, const MemoryNeed &need);
  /// Error where `need` is more than what is available.
  static Status checkMemory(const MemoryNeed &need);

  /// Runs a checked step through entries[entry] of the plan.
  virtual Status run(uint32_t entry, const Dims &dims) = 0;

  Artifact artifact;
  StepTable table;
  ModelInfo modelInfo;
  Limits stepLimits;     // what a caller may rely on
  Limits bufferCapacity; // the largest of each over all entries
  bool poison = false;
  bool profiling = false;
  Profile profileTimes;

private:
  void sortEntries();
  Dims currentDims() const;
  Expected<uint32_t> chooseEntry(const Dims &dims) const;

  std::vector<uint32_t> decodeEntries, mixedEntries; // of the plan, smallest first
};

} // namespace kimi::runtime
