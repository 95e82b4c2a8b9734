// A toy CUDA artifact on the fake driver: what the tests of the CUDA engine start from.
#pragma once

#include "tests/runtime/ToyStep.h"
#include "tests/runtime/fake_cuda/FakeCuda.h"

#include <cstdlib>
#include <dlfcn.h>
#include <gtest/gtest.h>

namespace kimi::test {

/// Settings as new; nothing may be left on the "device" at the end.
class CudaTest : public testing::Test {
protected:
  void SetUp() override {
    setenv("KIMI_CUDA_DRIVER", KIMI_FAKE_CUDA, 1);
    void *library = dlopen(KIMI_FAKE_CUDA, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library, nullptr) << dlerror();
    fake = reinterpret_cast<FakeCuda *(*)()>(dlsym(library, "kimiFakeCuda"))();
    *fake = {};
  }

  void TearDown() override {
    engine.reset();
    EXPECT_EQ(fake->liveHandles, 0);
    unsetenv("KIMI_CUDA_DRIVER");
  }

  static EngineOptions defaultOptions() {
    return {.numThreads = 3, .cacheBytes = 1 << 20, .readLogits = true, .poison = true};
  }

  void load(const EngineOptions &options = defaultOptions(),
            const std::function<void(artifact::PlanT &)> &edit = {}) {
    engine.reset();
    auto loaded = Engine::load(writeToyCudaArtifact(scratch.path(), edit), options);
    ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
    engine = std::move(*loaded);
  }

  void runStep(const std::vector<ToySequence> &sequences) {
    fillStep(*engine, sequences);
    auto status = engine->step();
    ASSERT_TRUE(status.has_value()) << status.error().message;
  }

  /// Row r's logits and sample are those of a sequence that holds `tokens`.
  void expectRow(size_t r, const std::vector<int32_t> &tokens) {
    auto expected = expectedLogits(tokens);
    ASSERT_LT(r, engine->outputs().sampledTokens.size());
    if (!engine->outputs().logits.empty()) {
      auto row = engine->outputs().logits.subspan(r * kToyVocabulary, kToyVocabulary);
      EXPECT_TRUE(std::ranges::equal(row, expected)) << "row " << r;
    }
    EXPECT_EQ(engine->outputs().sampledTokens[r], argMax(expected));
    EXPECT_EQ(engine->outputs().finite[r], 1);
  }

  static void expectOneLine(const std::string &message, std::initializer_list<const char *> parts) {
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    for (const char *part : parts)
      EXPECT_NE(message.find(part), std::string::npos) << "no \"" << part << "\" in: " << message;
  }

  ScratchDirectory scratch;
  FakeCuda *fake = nullptr;
  std::unique_ptr<Engine> engine;
};

} // namespace kimi::test
