#include "runtime/engine/Platform.h"

#include "runtime/base/Machine.h"
#include "runtime/cpu/Ceilings.h"
#include "runtime/cpu/Target.h"
#include "runtime/cuda/Ceilings.h"
#include "runtime/cuda/Target.h"
#include "runtime/engine/CpuEngine.h"
#include "runtime/engine/CudaEngine.h"
#include "runtime/engine/PlanCheck.h"

namespace kimi {

Expected<std::unique_ptr<Engine>> Engine::load(const std::filesystem::path &path,
                                               const EngineOptions &options) {
  int numThreads = options.numThreads > 0 ? options.numThreads : runtime::usableThreads();
  TRY_ASSIGN(runtime::Artifact artifact,
             runtime::Artifact::open(path, {.numThreads = numThreads, .progress = options.progress}));
  const runtime::Platform &platform = runtime::Platform::of(artifact.rank().target()->string_view());
  auto engine = platform.load(std::move(artifact), options, numThreads);
  if (!engine)
    return failure(path.string(), engine.error());
  return engine;
}

namespace runtime {

namespace {

class CpuPlatform final : public Platform {
public:
  Status check(std::string_view target) const override { return checkTarget(target, Processor::host()); }

  Expected<uint64_t> availableMemory() const override { return runtime::availableMemory(); }

  Expected<Ceilings> measureCeilings(int numThreads) const override {
    ThreadPool pool(numThreads);
    TRY_ASSIGN(double bandwidth, measureReadBandwidth(pool));
    return Ceilings{.bytesPerSecond = bandwidth,
                    .flopsPerSecond = measureFmaPeak(pool),
                    .bytesName = "read",
                    .flopsName = "FMA"};
  }

  Expected<std::unique_ptr<Engine>> load(Artifact artifact, const EngineOptions &options,
                                         int numThreads) const override {
    return CpuEngine::load(std::move(artifact), options, numThreads);
  }
};

class CudaPlatform final : public Platform {
public:
  Status check(std::string_view target) const override {
    TRY_ASSIGN(cuda::Device device, cuda::Device::open());
    return cuda::checkTarget(target, device.properties());
  }

  Expected<uint64_t> availableMemory() const override {
    TRY_ASSIGN(cuda::Device device, cuda::Device::open());
    return device.availableMemory();
  }

  Expected<Ceilings> measureCeilings(int) const override {
    TRY_ASSIGN(cuda::Device device, cuda::Device::open());
    TRY_ASSIGN(double bandwidth, cuda::measureCopyBandwidth(device));
    return Ceilings{.bytesPerSecond = bandwidth, .flopsPerSecond = 0, .bytesName = "copy", .flopsName = ""};
  }

  Expected<std::unique_ptr<Engine>> load(Artifact artifact, const EngineOptions &options,
                                         int numThreads) const override {
    return CudaEngine::load(std::move(artifact), options, numThreads);
  }
};

} // namespace

const Platform &Platform::of(std::string_view target) {
  static const CpuPlatform cpu;
  static const CudaPlatform cuda;
  if (isCudaTarget(target))
    return cuda;
  return cpu;
}

} // namespace runtime
} // namespace kimi
