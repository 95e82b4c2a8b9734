// What must be refused, and how: in one line that says what does not match, without a crash.
#include "runtime/engine/PlanCheck.h"
#include "tests/runtime/ToyStep.h"

#include <gtest/gtest.h>
#include <random>

namespace kimi::test {

namespace fs = std::filesystem;
using namespace artifact;

class ArtifactTest : public testing::Test {
protected:
  Expected<std::unique_ptr<Engine>> load(bool verifyWeights = true) {
    return Engine::load(directory, {.numThreads = 1, .cacheBytes = 1 << 20, .verifyWeights = verifyWeights});
  }

  void expectRefused(std::string_view part) {
    auto loaded = load();
    ASSERT_FALSE(loaded.has_value()) << "expected: " << part;
    const std::string &message = loaded.error().message;
    EXPECT_NE(message.find(part), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_NE(message.find("toy.kimi"), std::string::npos) << "no path in: " << message;
  }

  void expectEditRefused(std::string_view part, const std::function<void(PlanT &)> &edit) {
    SCOPED_TRACE(part);
    directory = writeToyArtifact(scratch.path(), edit);
    expectRefused(part);
  }

  void flipByte(const fs::path &path, size_t offset) {
    std::string bytes = readFile(path);
    bytes[offset] ^= 0x10;
    writeFile(path, bytes);
  }

  ScratchDirectory scratch;
  fs::path directory = writeToyArtifact(scratch.path());
};

TEST_F(ArtifactTest, MissingDirectory) {
  fs::remove_all(directory);
  expectRefused("no such artifact directory");
}

TEST_F(ArtifactTest, EachMissingFile) {
  for (const char *name : {"manifest.json", "plan.fb", "code/rank0.so", "weights/bias", "tokenizer.json"}) {
    writeToyArtifact(scratch.path());
    fs::remove(directory / name);
    expectRefused(name);
  }
}

TEST_F(ArtifactTest, DirectoryInAFilesPlace) {
  fs::remove(directory / "weights/bias");
  fs::create_directory(directory / "weights/bias");
  expectRefused("not a regular file");
}

TEST_F(ArtifactTest, EachTruncatedFile) {
  for (const char *name : {"manifest.json", "plan.fb", "code/rank0.so", "weights/bias", "tokenizer.json"}) {
    for (size_t keep : {size_t(0), size_t(1), size_t(12)}) {
      writeToyArtifact(scratch.path());
      writeFile(directory / name, readFile(directory / name).substr(0, keep));
      if (keep < 2 || std::string_view(name) != "tokenizer.json") // which has two bytes
        expectRefused(name);
    }
  }
}

TEST_F(ArtifactTest, EveryByteOfThePlanCounts) {
  const std::string plan = readFile(directory / "plan.fb");
  for (size_t i = 0; i < plan.size(); i += 7) {
    writeFile(directory / "plan.fb", plan);
    flipByte(directory / "plan.fb", i);
    expectRefused("plan.fb: hash ");
  }
}

TEST_F(ArtifactTest, FlippedBytesInFiles) {
  for (const char *name : {"code/rank0.so", "weights/embedding", "weights/bias", "tokenizer.json"}) {
    writeToyArtifact(scratch.path());
    flipByte(directory / name, readFile(directory / name).size() / 2);
    expectRefused("does not match the recorded");
    expectRefused(name);
  }
}

TEST_F(ArtifactTest, FlippedManifestIsRefusedOrHarmless) {
  const std::string manifest = readFile(directory / "manifest.json");
  for (size_t i = 0; i < manifest.size(); ++i) {
    writeFile(directory / "manifest.json", manifest);
    flipByte(directory / "manifest.json", i);
    load();
  }
  for (const char *key : {"format_version", "compiler_version", "plan_hash", "plan_bytes", "files"}) {
    std::string changed = manifest;
    changed[changed.find(key)] = 'x';
    writeFile(directory / "manifest.json", changed);
    expectRefused(key);
  }
}

TEST_F(ArtifactTest, ManifestErrorsSayWhere) {
  writeFile(directory / "manifest.json", "{\"format_version\": 1,, }");
  expectRefused("manifest.json: not JSON at byte 21: ");
  writeFile(directory / "manifest.json", "{} x");
  expectRefused("manifest.json: not JSON at byte 3: ");
  writeManifest(directory, readFile(directory / "plan.fb"));
  std::string manifest = readFile(directory / "manifest.json");
  manifest[manifest.find("tokenizer.json\": \"") + 18] = 'X';
  writeFile(directory / "manifest.json", manifest);
  expectRefused("tokenizer.json: \"X");
}

TEST_F(ArtifactTest, UnverifiedWeightsAreOnlyMeasured) {
  flipByte(directory / "weights/bias", 0);
  EXPECT_TRUE(load(/*verifyWeights=*/false).has_value());
  flipByte(directory / "code/rank0.so", 5000);
  EXPECT_FALSE(load(/*verifyWeights=*/false).has_value());
}

TEST_F(ArtifactTest, WrongVersion) {
  writeManifest(directory, readFile(directory / "plan.fb"), 2);
  expectRefused("artifact format version 2, but this runtime reads version 1");
  expectEditRefused("artifact format version 7, but", [](PlanT &plan) { plan.format_version = 7; });
}

TEST_F(ArtifactTest, NotAPlan) {
  for (std::string bytes :
       {std::string(), std::string("tiny"), std::string(100, '\0'), std::string(100, '\xff')}) {
    writeFile(directory / "plan.fb", bytes);
    writeManifest(directory, bytes);
    expectRefused("plan.fb");
  }
}

TEST_F(ArtifactTest, TargetOfAnotherMachine) {
  expectEditRefused("compiled for target tpu:v9; this runtime runs cpu:",
                    [](PlanT &plan) { plan.ranks[0]->target = "tpu:v9"; });
#if defined(__x86_64__)
  expectEditRefused("compiled for cpu:aarch64", [](PlanT &plan) { plan.ranks[0]->target = "cpu:aarch64"; });
#endif
  expectEditRefused("lacks warpdrive", [](PlanT &plan) { plan.ranks[0]->target = "cpu:native(warpdrive)"; });
}

TEST_F(ArtifactTest, MissingKernel) {
  expectEditRefused("kernel toy_nothing is not defined",
                    [](PlanT &plan) { plan.ranks[0]->kernels[0]->name = "toy_nothing"; });
}

TEST_F(ArtifactTest, CodeThatIsNotCode) {
  expectEditRefused("not an ELF object", [](PlanT &plan) { plan.ranks[0]->code = {1}; });
}

static EntryT &entry(PlanT &plan, size_t index = 0) { return *plan.ranks[0]->entries[index]; }
static LaunchT &launch(StepT &step) { return *step.kind.AsLaunch(); }
static CallT &call(PlanT &plan) { return *entry(plan).steps[1]->kind.AsCall(); }

TEST_F(ArtifactTest, LyingIndices) {
  expectEditRefused("2 ranks", [](PlanT &p) { p.ranks.push_back(std::make_unique<RankT>(*p.ranks[0])); });
  expectEditRefused("code file's index is 9, but there are 3", [](PlanT &p) { p.ranks[0]->code = {9}; });
  expectEditRefused("kernel toy_add's code is 1, but there are 1",
                    [](PlanT &p) { p.ranks[0]->kernels[1]->code = 1; });
  expectEditRefused("kernel is 6, but there are 6", [](PlanT &p) { launch(*entry(p).steps[0]).kernel = 6; });
  expectEditRefused("called block is 1, but there are 1", [](PlanT &p) { call(p).block = 1; });
  expectEditRefused("call's layer is 2, but there are 2", [](PlanT &p) { call(p).layer = 2; });
  expectEditRefused("file is 3, but there are 3",
                    [](PlanT &p) { p.ranks[0]->weights[0]->slices[0].mutate_file(3); });
  expectEditRefused("weight bias has 2 slices from layer 1 on, none for layer 0",
                    [](PlanT &p) { p.ranks[0]->weights[1]->first_layer = 1; });
  expectEditRefused("the plan has no entry", [](PlanT &p) { p.ranks[0]->entries.clear(); });
  expectEditRefused("block layer holds a step of kind 2",
                    [](PlanT &p) { p.ranks[0]->blocks[0]->steps[0]->kind.Set(CallT()); });
}

TEST_F(ArtifactTest, LyingArguments) {
  auto edit = [](ArgumentKind kind, int64_t value) {
    return [=](PlanT &plan) { launch(*entry(plan).steps[0]).arguments[2] = {kind, value}; };
  };
  expectEditRefused("arena offset 32 is outside the arena of 32 bytes", edit(ArgumentKind::arena, 32));
  expectEditRefused("arena offset -4 is outside", edit(ArgumentKind::arena, -4));
  expectEditRefused("weight is 2, but there are 2", edit(ArgumentKind::weight, 2));
  expectEditRefused("step input is 25, but there are 25", edit(ArgumentKind::input, 25));
  expectEditRefused("step output is 6, but there are 6", edit(ArgumentKind::output, 6));
  expectEditRefused("cache is 1, but there are 1", edit(ArgumentKind::cache, 1));
  expectEditRefused("unknown kind 77", edit(ArgumentKind(77), 0));
}

TEST_F(ArtifactTest, LyingSizes) {
  auto grid = [](Extent extent) {
    return [=](PlanT &plan) { launch(*entry(plan).steps[0]).grid = {extent}; };
  };
  expectEditRefused("grid divisor is 0", grid({DimSymbol::tokens, 1, 0}));
  expectEditRefused("grid multiplier is -1", grid({DimSymbol::tokens, -1, 1}));
  expectEditRefused("dim symbol is 99", grid({DimSymbol(99), 1, 1}));
  expectEditRefused("for costs only", grid({DimSymbol::context_tokens, 1, 1}));
  expectEditRefused("more than 4294967295 tasks", grid({DimSymbol::cache_blocks, 1 << 20, 1}));
  expectEditRefused("do not fit in weights/embedding",
                    [](PlanT &p) { p.ranks[0]->weights[0]->slices[0].mutate_offset(64); });
  expectEditRefused("do not fit",
                    [](PlanT &p) { p.ranks[0]->weights[0]->slices[0].mutate_offset(~uint64_t(63)); });
  expectEditRefused("not a multiple of 64",
                    [](PlanT &p) { p.ranks[0]->weights[1]->slices[0].mutate_offset(4); });
  expectEditRefused("a slice has 32 bytes, but its shape needs 64", [](PlanT &p) {
    p.ranks[0]->weights[1]->shape = {2, 8};
  });
  expectEditRefused("weight bias's size", [](PlanT &p) {
    p.ranks[0]->weights[1]->shape = {int64_t(1) << 40, int64_t(1) << 40};
  });
  expectEditRefused("block tokens is 32", [](PlanT &p) { p.ranks[0]->caches[0]->block_tokens = 32; });
  expectEditRefused("max_tokens is 0", [](PlanT &p) { entry(p).capacity->max_tokens = 0; });
  expectEditRefused("max_table_blocks is 4, expected 5",
                    [](PlanT &p) { entry(p).capacity->max_table_blocks = 4; });
  expectEditRefused("arena_bytes", [](PlanT &p) { entry(p).arena_bytes = ~uint64_t(0); });
  expectEditRefused("too little memory", [](PlanT &p) { entry(p).arena_bytes = uint64_t(1) << 43; });
  expectEditRefused("entry " + std::string(200, 'x') + "…: max_tokens is 0", [](PlanT &p) {
    entry(p).name = std::string(5000, 'x');
    entry(p).capacity->max_tokens = 0;
  });
  expectEditRefused("vocabulary is 0", [](PlanT &p) { p.model->vocabulary = 0; });
  expectEditRefused("plan records", [](PlanT &p) { p.files[0]->bytes += 1; });
  expectEditRefused("file weights/bias's size is 9223372036854775807, expected 0 to 1125899906842624",
                    [](PlanT &p) { p.files[2]->bytes = ~uint64_t(0); });
}

TEST_F(ArtifactTest, PathsStayInside) {
  for (const char *path : {"/etc/passwd", "../x", "weights/../../x", "", "./x"})
    expectEditRefused("does not stay inside", [=](PlanT &plan) { plan.files[1]->path = path; });
  expectEditRefused("weights/embedding: \"ABC\" is not a hash", [](PlanT &plan) { plan.files[1]->hash = "ABC"; });
}

TEST_F(ArtifactTest, CacheSizes) {
  auto tiny = Engine::load(directory, {.numThreads = 1, .cacheBytes = 100});
  ASSERT_FALSE(tiny.has_value());
  EXPECT_NE(tiny.error().message.find("one block of 64 tokens takes 4.00 KiB"), std::string::npos)
      << tiny.error().message;
  auto huge = Engine::load(directory, {.numThreads = 1, .cacheBytes = uint64_t(1) << 50});
  ASSERT_FALSE(huge.has_value());
  EXPECT_NE(huge.error().message.find("is free"), std::string::npos) << huge.error().message;
  auto chosen = Engine::load(directory, {.numThreads = 1});
  ASSERT_TRUE(chosen.has_value());
  EXPECT_EQ((*chosen)->limits().cacheBlocks, 4 * 5); // 4 sequences of the largest decode entry, 5 blocks each
}

TEST_F(ArtifactTest, ReportsProgress) {
  uint64_t lastDone = 0, lastTotal = 0;
  auto progress = [&](uint64_t done, uint64_t total) { lastDone = done, lastTotal = total; };
  ASSERT_TRUE(Engine::load(directory, {.numThreads = 2, .progress = progress}).has_value());
  EXPECT_EQ(lastDone, lastTotal);
  EXPECT_GT(lastTotal, 3000u);
}

TEST_F(ArtifactTest, MisalignedPlansAreRefused) {
  const std::string plan = readFile(directory / "plan.fb");
  std::vector<uint64_t> words(plan.size() / 8 + 2);
  for (size_t shift : {0, 4}) {
    std::byte *const bytes = reinterpret_cast<std::byte *>(words.data()) + shift;
    std::memcpy(bytes, plan.data(), plan.size());
    const auto parsed = runtime::parsePlan({bytes, plan.size()});
    ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
    const Status status = runtime::checkPlan(**parsed);
    EXPECT_EQ(status ? "" : status.error().message,
              shift == 0 ? "" : "kernel toy_embedding: costs do not lie at a multiple of 8 bytes");
  }
}

// Damage that the hashes do not show: every mutated plan is either refused or loads; nothing crashes.
TEST_F(ArtifactTest, MutatedPlansNeverCrash) {
  const std::string plan = readFile(directory / "plan.fb");
  std::mt19937 random(20240607);
  int numRefused = 0;
  constexpr int kRounds = 1000;
  for (int round = 0; round < kRounds; ++round) {
    std::string mutated = plan;
    for (int change = 0, count = 1 + int(random() % 3); change < count; ++change)
      mutated[random() % mutated.size()] = char(random() % 4 == 0 ? 0xff : random());
    writeFile(directory / "plan.fb", mutated);
    writeManifest(directory, mutated);
    numRefused += !load();
  }
  EXPECT_GT(numRefused, kRounds / 4);
  EXPECT_LT(numRefused, kRounds);
}

} // namespace kimi::test
