// Engine::load: the artifact's target decides which engine runs it.
#include "runtime/base/Machine.h"
#include "runtime/engine/CpuEngine.h"
#include "runtime/engine/CudaEngine.h"

namespace kimi {

Expected<std::unique_ptr<Engine>> Engine::load(const std::filesystem::path &path, const EngineOptions &options) {
  int numThreads = options.numThreads > 0 ? options.numThreads : runtime::usableThreads();
  TRY_ASSIGN(runtime::Artifact artifact, runtime::Artifact::open(path, {.verifyWeights = options.verifyWeights,
                                                                        .numThreads = numThreads,
                                                                        .progress = options.progress}));
  bool isCuda = artifact.rank().target()->string_view().starts_with("cuda:");
  auto engine = isCuda ? runtime::CudaEngine::load(std::move(artifact), options, numThreads)
                       : runtime::CpuEngine::load(std::move(artifact), options, numThreads);
  if (!engine)
    return failure(path.string(), engine.error());
  return engine;
}

} // namespace kimi
