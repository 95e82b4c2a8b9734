// The engine of CUDA targets: weights streamed into device memory, kernels from cubins, one graph for each
// decode entry.
#pragma once

#include "runtime/cuda/Module.h"
#include "runtime/engine/CudaProfiler.h"
#include "runtime/engine/CudaProgram.h"
#include "runtime/engine/PlanEngine.h"

#include <memory>
#include <optional>

namespace kimi::runtime {

class CudaEngine final : public PlanEngine {
public:
  static Expected<std::unique_ptr<Engine>> load(Artifact artifact, const EngineOptions &options,
                                                int numThreads);
  ~CudaEngine() override;

private:
  CudaEngine(Artifact artifact, const EngineOptions &options, cuda::Device device);

  // Loading, in this order.
  Status checkAlignment() const;
  Status loadCode();
  Status findKernels();
  Status openLibrary();
  Status planDeviceMemory();
  Status allocate();
  Status streamWeights(int numThreads);
  Status preparePrograms();
  Addresses addresses() const;
  Dims capacityOf(const artifact::Entry &entry) const;

  // Running.
  Status run(size_t index) override;
  Status runStep(size_t index);
  Status upload();
  Status uploadTables();
  void noteCopy(uint64_t bytes);
  Status poisonMemory();
  Status start(size_t index);
  Status startLaunches(CudaProgram &program);
  Status download();
  Status wait();

  // Destroyed from the bottom up: everything on the device goes before the device.
  EngineOptions options;
  cuda::Device device;
  std::vector<cuda::Module> modules;       // as the rank's code files
  std::vector<cuda::KernelHandle> kernels; // as in the plan
  const cuda::CublasLt *library = nullptr; // where the plan calls it
  cuda::CublasLtContext context{nullptr, nullptr};
  uint64_t localBytesPerThread = 0; // the most of any kernel
  cuda::DeviceBuffer weights, arena, deviceInputs, deviceLogits;
  std::vector<uint64_t> fileOffsets;      // into weights, as the plan's files
  std::vector<cuda::DeviceBuffer> caches; // as in the plan
  cuda::PinnedBuffer hostInputs;
  cuda::PinnedBuffer hostOutputs; // kernels write all of it but the logits
  cuda::CUdeviceptr dimsAddress = 0, outputsAddress = 0; // on the device
  cuda::Stream stream;
  std::vector<CudaProgram> cudaPrograms; // as `programs`
  std::vector<bool> hasRun;              // likewise
  CudaProfiler profiler;
  std::optional<Error> fault; // the device's first: nothing runs after it
};

} // namespace kimi::runtime
