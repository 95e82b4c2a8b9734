// What the engines of all targets share: a plan resolved into programs, the step table, the choice of an
// entry. An engine for a target adds memory and the way a program runs.
#pragma once

#include "runtime/engine/Artifact.h"
#include "runtime/engine/CacheSize.h"
#include "runtime/engine/Profile.h"
#include "runtime/engine/Program.h"
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
  const LoadReport &loadReport() const override { return report; }
  Status step() override;
  void setProfiling(bool on) override;
  std::vector<KernelTime> profile() const override { return profileTimes.times(); }
  StepTimes lastStepTimes() const override { return stepTimes; }

protected:
  PlanEngine(Artifact artifact, const EngineOptions &options);

  /// Says no while nothing is allocated: error when `need` is more than there is. Chooses the cache's size.
  Status planMemory(const MemoryNeed &need, uint64_t cacheBytes);

  uint64_t cacheBytes(uint32_t cache) const; // of all layers, once memory is planned

  /// Builds `programs`. Files, caches and the rest of `addresses` are in place; cacheLayerBytes is filled
  /// here.
  void resolvePrograms(Addresses addresses);

  /// Runs programs[index] on the step table's inputs; dims are in the table.
  virtual Status run(size_t index) = 0;

  const artifact::Rank &rank() const { return artifact.rank(); }

  Artifact artifact;
  StepTable table;
  ModelInfo modelInfo;
  Limits stepLimits;             // what a caller may rely on
  Limits bufferCapacity;         // the largest of each over all entries
  std::vector<Program> programs; // as the plan's entries
  LoadReport report;
  bool poison = false;
  bool profiling = false;
  Profile profileTimes;
  StepTimes stepTimes;      // run() fills in what comes after the check
  int64_t tableColumns = 0; // of the step's block table that were checked: kernels follow no others

private:
  Expected<size_t> checkAndChoose();
  void setDims();
  Expected<size_t> chooseProgram() const;

  std::vector<size_t> decodeOrder, mixedOrder; // indices into programs, smallest first
};

} // namespace kimi::runtime
