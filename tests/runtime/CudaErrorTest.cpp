// What the CUDA engine refuses, and how: one line that says what is wrong and what to do; nothing stays on
// the device.
#include "tests/runtime/CudaToy.h"

namespace kimi::test {

using namespace artifact;

class CudaErrorTest : public CudaTest {
protected:
  void expectRefused(std::initializer_list<const char *> parts, const std::function<void(PlanT &)> &edit = {},
                     const EngineOptions &options = defaultOptions()) {
    auto loaded = Engine::load(writeToyCudaArtifact(scratch.path(), edit), options);
    ASSERT_FALSE(loaded.has_value());
    expectOneLine(loaded.error().message, parts);
    expectOneLine(loaded.error().message, {"toy.kimi"});
    EXPECT_EQ(fake->liveHandles, 0);
  }

  std::string failingStep(const std::vector<ToySequence> &sequences) {
    fillStep(*engine, sequences);
    auto status = engine->step();
    EXPECT_FALSE(status.has_value());
    return status ? "" : status.error().message;
  }
};

TEST_F(CudaErrorTest, NoDriver) {
  setenv("KIMI_CUDA_DRIVER", "/nowhere/libcuda.so.1", 1);
  expectRefused({"no CUDA driver: /nowhere/libcuda.so.1: cannot open", "install NVIDIA driver R580 or later",
                 "--target cpu"});
}

TEST_F(CudaErrorTest, ALibraryThatIsNoDriver) {
  setenv("KIMI_CUDA_DRIVER", KIMI_TOY_KERNELS, 1);
  expectRefused({"the CUDA driver has no entry point cuDriverGetVersion", "install NVIDIA driver R580"});
}

TEST_F(CudaErrorTest, NoDevice) {
  fake->numDevices = 0;
  expectRefused({"cuInit: CUDA_ERROR_NO_DEVICE", "no GPU can be used here", "nvidia-smi"});
}

TEST_F(CudaErrorTest, OldDriver) {
  fake->version = 12040;
  expectRefused({"the driver supports CUDA 12.4, but 13.0 is needed", "install NVIDIA driver R580"});
}

TEST_F(CudaErrorTest, AnotherArchitecture) {
  fake->major = 8;
  expectRefused({"compiled for cuda:sm_90a, but Fake H200 is sm_80: compile it with --target cuda:sm_80"});
  fake->major = 9;
  auto compiledFor = [](const char *target) { return [=](PlanT &plan) { plan.ranks[0]->target = target; }; };
  expectRefused({"compiled for cuda:sm_80, but Fake H200 is sm_90: compile it with --target cuda:sm_90a"},
                compiledFor("cuda:sm_80"));
  expectRefused({"compiled for target cuda:hopper; this runtime runs cuda:sm_XY"},
                compiledFor("cuda:hopper"));
  fake->minor = 1; // sm_90a's instructions are of 9.0 only; sm_90's run on all of 9
  expectRefused({"compiled for cuda:sm_90a, but"});
  load(defaultOptions(), compiledFor("cuda:sm_90"));
}

// Only what kimic compiles for is advised.
TEST_F(CudaErrorTest, AdvisesTargetsThatThereAre) {
  auto expectAdvice = [&](int major, int minor, const char *advice) {
    fake->major = major, fake->minor = minor;
    expectRefused({advice});
  };
  expectAdvice(8, 6, "is sm_86: compile it with --target cuda:sm_80");
  expectAdvice(8, 9, "is sm_89: compile it with --target cuda:sm_80");
  for (auto [major, minor] : {std::pair(7, 5), {9, 1}, {10, 0}, {12, 0}})
    expectAdvice(major, minor,
                 "kimic has no target for this GPU: use one of compute capability 8.x or 9.0, or compile "
                 "with --target cpu");
}

TEST_F(CudaErrorTest, TooLittleMemoryIsPredicted) {
  auto large = [](PlanT &plan) { plan.ranks[0]->entries[3]->arena_bytes = uint64_t(2) << 30; };
  expectRefused({"too little memory: weights 3.", "arena 2.00 GiB", "are needed, 960 MiB is available",
                 "of the 2 layers", "kimic --layers"},
                large);
  EXPECT_EQ(fake->copiesToDevice, 0);
  EngineOptions options = defaultOptions();
  options.cacheBytes = uint64_t(1) << 40;
  expectRefused({"a cache of 1.00 TiB was asked", "tokens would fit"}, {}, options);
}

TEST_F(CudaErrorTest, SpillsCountAsMemory) {
  fake->localBytes = 4096; // times 132 * 2048 threads: 1.03 GiB
  expectRefused({"too little memory", "code 1.03 GiB"});
}

TEST_F(CudaErrorTest, TooLittlePinnedMemory) {
  fake->pinnedBytes = 1 << 20;
  expectRefused(
      {"cannot get 12.0 MiB of pinned host memory for the reading of weights", "CUDA_ERROR_OUT_OF_MEMORY"});
}

TEST_F(CudaErrorTest, MissingKernel) {
  expectRefused({"kernel toy_nothing is not defined in code/rank0.cubin: compile the model again"},
                [](PlanT &plan) { plan.ranks[0]->kernels[2]->name = "toy_nothing"; });
}

TEST_F(CudaErrorTest, NotACubin) {
  expectRefused({"weights/embedding: 3104 bytes that are not a cubin"},
                [](PlanT &plan) { plan.ranks[0]->code = {1}; });
}

TEST_F(CudaErrorTest, MoreThanTheDeviceAllows) {
  fake->maxThreads = 512;
  expectRefused({"kernel toy_logits: wants 1024 threads per block, but runs with at most 512"},
                [](PlanT &plan) { plan.ranks[0]->kernels[4]->threads = 1024; });
  fake->maxSharedBytes = 99 * 1024; // of sm_86
  expectRefused(
      {"kernel toy_logits: wants 131072 bytes of shared memory per block, but Fake H200 has 101376"},
      [](PlanT &plan) { plan.ranks[0]->kernels[4]->shared_bytes = 128 * 1024; });
  fake->hasClusters = false;
  expectRefused({"kernel toy_embedding: wants clusters of 2 blocks, but Fake H200 has no clusters"},
                [](PlanT &plan) {
                  plan.ranks[0]->entries.erase(plan.ranks[0]->entries.begin());
                  plan.ranks[0]->kernels[0]->cluster = 2;
                });
}

TEST_F(CudaErrorTest, DamagedWeights) {
  auto directory = writeToyCudaArtifact(scratch.path());
  std::string bytes = readFile(directory / "weights/bias");
  bytes[0] ^= 1;
  writeFile(directory / "weights/bias", bytes);
  auto loaded = Engine::load(directory, defaultOptions());
  ASSERT_FALSE(loaded.has_value());
  expectOneLine(loaded.error().message,
                {"weights/bias: hash", "does not match the recorded", "the file is damaged"});
  EngineOptions options = defaultOptions();
  options.verifyWeights = false;
  loaded = Engine::load(directory, options);
  EXPECT_TRUE(loaded.has_value());
}

TEST_F(CudaErrorTest, ReferencedWeightsThatLieAnyhow) {
  expectRefused({"weight bias: lies at offset 4 of the checkpoint's own file", "--weights=packed"},
                [](PlanT &plan) {
                  plan.files[2]->is_reference = true;
                  plan.ranks[0]->weights[1]->slices[0].mutate_offset(4);
                });
}

TEST_F(CudaErrorTest, RefusedLaunchNamesItsPlace) {
  load();
  fake->refusedKernel = "toy_cache_write";
  expectOneLine(failingStep({{0, {1, 2}, {0}}}), {"entry mixed_16, launch 3 of 9 (block layer, layer 0), "
                                                  "kernel toy_cache_write or one before: cuLaunchKernelEx: "
                                                  "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES"});
}

TEST_F(CudaErrorTest, RefusedLaunchWithoutGraphsIsTheKernels) {
  EngineOptions options = defaultOptions();
  options.useGraphs = false;
  load(options);
  fake->refusedKernel = "toy_cache_write";
  expectOneLine(failingStep({{0, {1, 2}, {0}}}),
                {"kernel toy_cache_write: cuLaunchKernelEx: CUDA_ERROR_LAUNCH"});
}

TEST_F(CudaErrorTest, FaultInAGraphSaysHowToFindIt) {
  load();
  fake->faultingKernel = "toy_cache_read";
  std::string first = failingStep({{0, {1}, {0}}});
  expectOneLine(first, {"entry decode_1", "CUDA_ERROR_ILLEGAL_ADDRESS", "--no-graph"});
  // The device is lost: every later step says the same.
  EXPECT_EQ(failingStep({{0, {1, 2}, {0}}}), first);
}

TEST_F(CudaErrorTest, FaultWithoutGraphsNamesTheKernel) {
  EngineOptions options = defaultOptions();
  options.useGraphs = false;
  load(options);
  fake->faultingKernel = "toy_cache_read";
  expectOneLine(
      failingStep({{0, {1}, {0}}}),
      {"entry decode_1, launch 4 of 9 (block layer, layer 0), kernel toy_cache_read: cuStreamSynchronize: "
       "CUDA_ERROR_ILLEGAL_ADDRESS"});
}

TEST_F(CudaErrorTest, FaultWhileProfiling) {
  load();
  engine->setProfiling(true);
  fake->faultingKernel = "toy_sample";
  expectOneLine(failingStep({{0, {1}, {0}}}), {"entry decode_1", "CUDA_ERROR_ILLEGAL_ADDRESS"});
}

TEST_F(CudaErrorTest, RefusedStepLeavesTheDeviceAlone) {
  load();
  fillStep(*engine, {{0, {1}, {0}}});
  engine->inputs().tokenIds[0] = -1;
  auto status = engine->step();
  ASSERT_FALSE(status.has_value());
  expectOneLine(status.error().message, {"tokenIds[0] is -1"});
  runStep({{0, {1}, {0}}});
  expectRow(0, {1});
}

} // namespace kimi::test
