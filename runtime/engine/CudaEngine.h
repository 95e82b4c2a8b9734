// The engine of CUDA targets: weights, arena, caches and a copy of the step table in device memory.
#pragma once

#include "runtime/engine/CudaProgram.h"
#include "runtime/engine/PlanEngine.h"

#include <memory>

namespace kimi::runtime {

class CudaEngine final : public PlanEngine {
public:
  /// Errors besides Engine::load's: no driver or an old one, no GPU or another architecture, too little device memory, a
  /// kernel that its cubin does not hold or that wants more than a block of this GPU may have.
  static Expected<std::unique_ptr<Engine>> load(Artifact artifact, const EngineOptions &options, int numThreads);
  ~CudaEngine() override;

private:
  Expected<MachineCeilings> measureCeilings() override;
  explicit CudaEngine(Artifact artifact) : PlanEngine(std::move(artifact)) {}
  Status loadAll(const EngineOptions &options, int numThreads);
  Status loadCode();
  Status loadKernel(const artifact::Kernel &kernel, const std::vector<cuda::ModuleHandle> &loaded);
  Status allocate(const EngineOptions &options);
  Status loadWeights(int numThreads);
  Status pinStepTable();
  Status resolvePrograms(bool useGraphs);
  cuda::DevicePtr resolve(const artifact::Argument &argument, uint32_t layer) const;

  Status run(uint32_t entry, const Dims &dims) override;
  Status sendInputs(const Dims &dims);
  Status receiveOutputs();
  Status poisonBuffers();

  // Destroyed from the bottom up.
  std::unique_ptr<cuda::Device> device;
  std::vector<cuda::ModuleHandle> modules;
  std::vector<CudaKernel> kernels; // as in the plan
  cuda::DeviceBuffer weights, arena, inputs, outputs;
  std::vector<uint64_t> fileOffsets;      // of the plan's files in `weights`
  std::vector<cuda::DeviceBuffer> caches; // as in the plan
  std::vector<uint64_t> cacheLayerBytes;  // as in the plan
  std::vector<void *> pinned;             // host memory that was pinned here
  std::unique_ptr<Dims> sentDims;         // the copy of a step's sizes that is on its way
  std::vector<CudaProgram> programs;      // as the plan's entries
  bool readLogits = false, waitsForEach = false;
};

} // namespace kimi::runtime
