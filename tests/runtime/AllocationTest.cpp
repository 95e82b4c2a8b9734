// A step allocates nothing: counted in a program of its own, whose malloc counts.
#include "tests/runtime/ToyStep.h"

#include <atomic>
#include <cstdlib>
#include <gtest/gtest.h>

static std::atomic<bool> isCounting = false;
static std::atomic<int64_t> numAllocations = 0;

// glibc's own entry points stand behind the replaced ones. operator new calls malloc.
extern "C" {
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

static void count() {
  if (isCounting.load(std::memory_order_relaxed))
    ++numAllocations;
}

void *malloc(size_t bytes) { return count(), __libc_malloc(bytes); }
void *calloc(size_t number, size_t bytes) { return count(), __libc_calloc(number, bytes); }
void *realloc(void *old, size_t bytes) { return count(), __libc_realloc(old, bytes); }
void *aligned_alloc(size_t alignment, size_t bytes) { return count(), __libc_memalign(alignment, bytes); }
}

namespace kimi::test {

TEST(AllocationTest, CounterCounts) {
  isCounting = true;
  auto number = std::make_unique<int>(1);
  std::vector<int> numbers(100);
  isCounting = false;
  EXPECT_EQ(*number, 1);
  EXPECT_GE(numAllocations.exchange(0), 2);
}

static void expectNoAllocations(const std::filesystem::path &artifact, const EngineOptions &options) {
  auto loaded = Engine::load(artifact, options);
  ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
  Engine &engine = **loaded;
  for (bool profiling : {false, true}) {
    engine.setProfiling(profiling);
    for (int step = 0; step < 20; ++step) {
      if (step % 2)
        fillStep(engine, {{0, {1, 2, 3}, {0}}, {0, {4, 5}, {1}}});
      else
        fillStep(engine, {{3, {6}, {0}}});
      isCounting = true;
      bool isGood = engine.step().has_value();
      isCounting = false;
      ASSERT_TRUE(isGood);
      EXPECT_EQ(numAllocations.exchange(0), 0) << "step " << step;
    }
  }
}

TEST(AllocationTest, StepAllocatesNothing) {
  ScratchDirectory scratch;
  expectNoAllocations(writeToyArtifact(scratch.path()), {.numThreads = 3, .cacheBytes = 1 << 20});
}

TEST(AllocationTest, StepOnADeviceAllocatesNothing) {
  ScratchDirectory scratch;
  setenv("KIMI_CUDA_DRIVER", KIMI_FAKE_CUDA, 1);
  for (bool useGraphs : {true, false})
    expectNoAllocations(writeToyCudaArtifact(scratch.path()),
                        {.numThreads = 3, .cacheBytes = 1 << 20, .readLogits = true, .useGraphs = useGraphs});
}

} // namespace kimi::test
