// kimi-inspect and kimi-bench as a user meets them: outputs, exit codes, one-line errors.
#include "tests/runtime/ToyArtifact.h"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

namespace kimi::test {

namespace json = boost::json;

struct Outcome {
  int exitCode;
  std::string output, errors;
};

class ToolsTest : public testing::Test {
protected:
  Outcome run(const std::string &program, const std::string &arguments) {
    auto output = scratch.path() / "stdout", errors = scratch.path() / "stderr";
    int status = std::system(
        fmt::format("{} {} > {} 2> {}", program, arguments, output.string(), errors.string()).c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, readFile(output), readFile(errors)};
  }
  Outcome inspect(const std::string &arguments) { return run(KIMI_INSPECT, arguments); }
  Outcome bench(const std::string &arguments) { return run(KIMI_BENCH, arguments); }

  ScratchDirectory scratch;
  std::string artifact = writeToyArtifact(scratch.path()).string();
};

static void expectContains(const std::string &text, std::initializer_list<const char *> parts) {
  for (const char *part : parts)
    EXPECT_NE(text.find(part), std::string::npos) << "no \"" << part << "\" in:\n" << text;
}

TEST_F(ToolsTest, InspectTellsAll) {
  auto outcome = inspect(artifact + " --memory 1GiB");
  EXPECT_EQ(outcome.exitCode, 0) << outcome.errors;
  EXPECT_EQ(outcome.errors, "");
  expectContains(outcome.output,
                 {"toy: 2 layers", "this machine runs it", "decode_4", "mixed_64", "Kernels of mixed_16",
                  "toy_cache_read", "generated", "Arena of decode_1: 32 B", "97x8", "row_major", "model.bias",
                  "as loaded, the cache holds 1280 tokens in 20 blocks of 64"});
}

TEST_F(ToolsTest, InspectJson) {
  auto outcome = inspect(artifact + " --json --context 100 --memory 1GiB --verify");
  ASSERT_EQ(outcome.exitCode, 0) << outcome.errors;
  json::object root = json::parse(outcome.output).as_object();
  EXPECT_EQ(root["model"], "toy");
  EXPECT_EQ(root["format_version"], 1);
  EXPECT_EQ(root["runs_here"], true);
  EXPECT_EQ(root["weights_verified"], true);
  json::object entry = root["entries"].at(2).as_object();
  EXPECT_EQ(entry["name"], "mixed_16");
  EXPECT_EQ(entry["launches"], 9);
  json::object kernel = entry["kernels"].at(3).as_object();
  EXPECT_EQ(kernel["name"], "toy_cache_read");
  EXPECT_EQ(kernel["implementation"], "generated");
  EXPECT_EQ(kernel["launches"], 2);
  EXPECT_EQ(kernel["bytes"].to_number<double>(), 2 * 16 * 100 * 32);
  EXPECT_EQ(kernel["flops"].to_number<double>(), 2 * 16 * 100 * 8);
  EXPECT_EQ(entry["arena"].at(0).at("uses"), 8);
  EXPECT_EQ(root["weights"].at(1).at("slices"), 2);
  EXPECT_EQ(root["memory"].at("cache_tokens"), 1280);
}

static uint64_t bytesIn(const std::filesystem::path &folder) {
  uint64_t sum = 0;
  for (const auto &entry : std::filesystem::recursive_directory_iterator(folder))
    sum += entry.is_regular_file() ? entry.file_size() : 0;
  return sum;
}

TEST_F(ToolsTest, InspectSaysWhatEachRankNeedsAndWhatIsLeftForTheCache) {
  auto outcome = inspect(artifact + " --json --memory 16MiB");
  ASSERT_EQ(outcome.exitCode, 0) << outcome.errors;
  json::object memory = json::parse(outcome.output).at("memory").as_object();
  json::object rank = memory["ranks"].at(0).as_object();
  auto number = [&](const char *key) { return rank[key].to_number<uint64_t>(); };
  EXPECT_EQ(memory["ranks"].as_array().size(), 1u);
  EXPECT_EQ(number("weights"), bytesIn(artifact + "/weights"));
  EXPECT_EQ(number("code"), bytesIn(artifact + "/code"));
  EXPECT_GT(number("arena"), 0u);
  EXPECT_GT(number("step_table"), 0u);
  EXPECT_EQ(number("total_without_cache"),
            number("weights") + number("code") + number("arena") + number("step_table"));
  EXPECT_EQ(number("cache_bytes_per_token"), 2 * 8 * 4u); // two layers of eight f32
  uint64_t left = (16u << 20) - number("total_without_cache");
  EXPECT_EQ(number("tokens_beside"), left / (64 * 64) * 64);
  auto text = inspect(artifact + " --memory 16MiB");
  expectContains(text.output, {"the cache tokens that fit beside it in 16.0 MiB", "cache per token",
                               std::to_string(number("tokens_beside")).c_str()});
}

TEST_F(ToolsTest, InspectSaysWhatDoesNotFit) {
  auto outcome = inspect(artifact + " --memory 1KiB");
  EXPECT_EQ(outcome.exitCode, 0) << outcome.errors;
  expectContains(outcome.output, {"too little memory to load:", "is needed, 1.00 KiB there"});
}

TEST_F(ToolsTest, InspectSaysThatRandomWeightsAreNoModel) {
  EXPECT_EQ(inspect(artifact).output.find("not a model"), std::string::npos);
  std::string manifest = readFile(artifact + "/manifest.json");
  manifest.insert(manifest.find('{') + 1, R"("weights": "random, seed 7", "layers": "2 of 61", )");
  writeFile(artifact + "/manifest.json", manifest);
  expectContains(inspect(artifact).output, {"random, seed 7: for benchmarks, not a model", "2 of 61: part of a model"});
}

// Shapes that no machine could fill are looked at like any weights.
TEST_F(ToolsTest, InspectMakesNoShapes) {
  writeToyArtifact(scratch.path(), [](artifact::PlanT &plan) {
    plan.files[1]->is_shape = true;
    plan.files[1]->bytes = uint64_t(1) << 45;
  });
  std::filesystem::remove(artifact + "/weights/embedding");
  for (const char *options : {"", " --verify", " --memory 64TiB"}) {
    auto outcome = inspect(artifact + options);
    EXPECT_EQ(outcome.exitCode, 0) << outcome.errors;
    expectContains(outcome.output, {"32.0 TiB"});
  }
}

TEST_F(ToolsTest, InspectChoosesAnEntry) {
  auto outcome = inspect(artifact + " --entry decode_4");
  EXPECT_EQ(outcome.exitCode, 0);
  EXPECT_EQ(outcome.output.find("mixed_16"), std::string::npos);
  outcome = inspect(artifact + " --entry decode_5");
  EXPECT_EQ(outcome.exitCode, 1);
  expectContains(outcome.errors,
                 {"there is no entry decode_5; there are decode_1, decode_4, mixed_16, mixed_64"});
}

TEST_F(ToolsTest, InspectRefusesDamage) {
  std::string plan = readFile(artifact + "/plan.fb");
  plan[100] ^= 1;
  writeFile(artifact + "/plan.fb", plan);
  auto outcome = inspect(artifact);
  EXPECT_EQ(outcome.exitCode, 1);
  EXPECT_EQ(outcome.output, "");
  EXPECT_TRUE(outcome.errors.starts_with("kimi-inspect: error: ")) << outcome.errors;
  EXPECT_EQ(std::ranges::count(outcome.errors, '\n'), 1) << outcome.errors;
}

TEST_F(ToolsTest, InspectVerifiesWeightsOnDemand) {
  std::string bytes = readFile(artifact + "/weights/bias");
  bytes[0] ^= 1;
  writeFile(artifact + "/weights/bias", bytes);
  EXPECT_EQ(inspect(artifact).exitCode, 0);
  auto outcome = inspect(artifact + " --verify");
  EXPECT_EQ(outcome.exitCode, 1);
  expectContains(outcome.errors, {"weights/bias", "does not match"});
}

TEST_F(ToolsTest, UsageAndVersion) {
  for (const char *program : {KIMI_INSPECT, KIMI_BENCH}) {
    auto help = run(program, "--help");
    EXPECT_EQ(help.exitCode, 0);
    expectContains(help.output, {"ARTIFACT", "--json", "Example:", "Exit codes:"});
    auto version = run(program, "--version");
    EXPECT_EQ(version.exitCode, 0);
    expectContains(version.output, {KIMI_VERSION, "artifact format 1"});
    EXPECT_EQ(run(program, "").exitCode, 2);
    EXPECT_EQ(run(program, artifact + " --bogus").exitCode, 2);
    EXPECT_EQ(run(program, artifact + ".not").exitCode, 1);
  }
}

static void expectStepAddsUp(json::object phase, int64_t steps) {
  auto number = [&](const char *key) { return phase[key].to_number<double>(); };
  EXPECT_EQ(phase["steps"], steps);
  EXPECT_NEAR(number("step_seconds"), number("seconds") / double(steps), 1e-12);
  EXPECT_NEAR(number("step_kernel_seconds") + number("step_rest_seconds"), number("step_seconds"), 1e-12);
  double sum = 0;
  for (const json::value &kernel : phase["kernels"].as_array())
    sum += kernel.at("seconds").to_number<double>();
  EXPECT_NEAR(number("step_kernel_seconds"), sum / double(steps), 1e-12);
}

/// The host's parts are its time; with the wait they are the step.
static void expectHostAddsUp(json::object phase) {
  auto mean = [&](const char *part) {
    return phase["host_parts"].at(part).at("mean_seconds").to_number<double>();
  };
  double sum = 0;
  for (const char *part : {"check", "upload", "start", "download", "caller"}) {
    EXPECT_GT(mean(part), 0) << part;
    sum += mean(part);
  }
  EXPECT_NEAR(mean("host"), sum, 1e-9);
  EXPECT_NEAR(mean("host"), phase["step_host_seconds"].to_number<double>(), 1e-12);
  EXPECT_LE(mean("host") + mean("wait"), phase["step_seconds"].to_number<double>());
  EXPECT_EQ(phase["step_copies"].to_number<double>(), 1);
  EXPECT_GT(phase["step_copied_bytes"].to_number<double>(), 128);
}

TEST_F(ToolsTest, BenchMeasures) {
  auto outcome = bench(artifact + " --batch 2 --context 70 --tokens 5 --threads 2 --json");
  ASSERT_EQ(outcome.exitCode, 0) << outcome.errors;
  json::object root = json::parse(outcome.output).as_object();
  EXPECT_GT(root["read_bytes_per_second"].as_double(), 0);
  EXPECT_GT(root["fma_flops_per_second"].as_double(), 0);
  EXPECT_EQ(root["prefill"].at("tokens"), 140);
  EXPECT_EQ(root["prefill"].at("steps"), 3); // of at most 64 tokens
  EXPECT_FALSE(root["decode"].as_object().contains("step_host_seconds"));
  expectStepAddsUp(root["decode"].as_object(), 5);
  EXPECT_EQ(root["decode"].at("tokens"), 10);
  EXPECT_EQ(root["decode"].at("kernels").as_array().size(), 6u);
  auto text = bench(artifact + " --context 10 --tokens 2");
  EXPECT_EQ(text.exitCode, 0) << text.errors;
  expectContains(text.output, {"tokens/s", "ceilings", "toy_cache_read", "% of kernels", "% of ceiling",
                               "a step", "rest", "between kernels"});
}

TEST_F(ToolsTest, BenchTakesPositionsToBeCached) {
  auto outcome = bench(artifact + " --batch 2 --context 70 --cached 69 --tokens 5 --json");
  ASSERT_EQ(outcome.exitCode, 0) << outcome.errors;
  json::object root = json::parse(outcome.output).as_object();
  EXPECT_EQ(root["cached"], 69);
  EXPECT_EQ(root["prefill"].at("tokens"), 2);
  EXPECT_EQ(root["prefill"].at("steps"), 1);
  EXPECT_EQ(root["decode"].at("tokens"), 10);
  auto all = bench(artifact + " --context 70 --cached 70");
  EXPECT_EQ(all.exitCode, 1);
  expectContains(all.errors, {"70 cached positions of a context of 70 were asked; at least the last one is computed"});
}

class CudaToolsTest : public ToolsTest {
protected:
  const std::string withFake = "KIMI_CUDA_DRIVER=" KIMI_FAKE_CUDA " ";
  const std::string withoutDriver = "KIMI_CUDA_DRIVER=/nowhere/libcuda.so.1 ";
  std::string cudaArtifact = writeToyCudaArtifact(scratch.path()).string();
};

TEST_F(CudaToolsTest, InspectNeedsNoGpu) {
  auto outcome = run(withoutDriver + KIMI_INSPECT, cudaArtifact);
  EXPECT_EQ(outcome.exitCode, 0) << outcome.errors;
  expectContains(outcome.output,
                 {"cuda:sm_90a (not on this machine: no CUDA driver", "Kernels of mixed_16", "toy_cache_read",
                  "this machine has none of the target's memory: --memory SIZE says what fits"});
  outcome = run(withoutDriver + KIMI_INSPECT, cudaArtifact + " --memory 1GiB --json");
  ASSERT_EQ(outcome.exitCode, 0) << outcome.errors;
  json::object root = json::parse(outcome.output).as_object();
  EXPECT_EQ(root["runs_here"], false);
  EXPECT_EQ(root["memory"].at("cache_tokens"), 1280);
  outcome = run(withoutDriver + KIMI_INSPECT, cudaArtifact + " --json");
  EXPECT_TRUE(json::parse(outcome.output).at("memory").at("cache_tokens").is_null());
}

TEST_F(CudaToolsTest, InspectSeesTheDevice) {
  auto outcome = run(withFake + KIMI_INSPECT, cudaArtifact);
  EXPECT_EQ(outcome.exitCode, 0) << outcome.errors;
  expectContains(outcome.output, {"cuda:sm_90a (this machine runs it)", "fit beside it in 960 MiB"});
}

TEST_F(CudaToolsTest, BenchMeasures) {
  auto outcome = run(withFake + KIMI_BENCH, cudaArtifact + " --batch 2 --context 70 --tokens 5 --json");
  ASSERT_EQ(outcome.exitCode, 0) << outcome.errors;
  json::object root = json::parse(outcome.output).as_object();
  EXPECT_EQ(root["device"], "Fake H200, 132 processors, 1.00 GiB");
  EXPECT_GT(root["copy_bytes_per_second"].as_double(), 0);
  EXPECT_GT(root["weight_bytes_per_second"].as_double(), 0);
  EXPECT_FALSE(root.contains("read_bytes_per_second")); // not measured
  EXPECT_FALSE(root.contains("fma_flops_per_second"));
  expectStepAddsUp(root["decode"].as_object(), 5);
  double host = root["decode"].at("step_host_seconds").as_double();
  EXPECT_GT(host, 0);
  EXPECT_LT(host, root["decode"].at("step_seconds").as_double());
  expectHostAddsUp(root["decode"].as_object());
  EXPECT_EQ(root["decode"].at("tokens"), 10);
  json::array kernels = root["decode"].at("kernels").as_array();
  ASSERT_EQ(kernels.size(), 6u);
  EXPECT_EQ(kernels[0].at("ceiling"), "copy");
  for (const char *option : {"", " --no-graph"}) {
    auto text = run(withFake + KIMI_BENCH, cudaArtifact + " --context 10 --tokens 2" + option);
    EXPECT_EQ(text.exitCode, 0) << text.errors;
    expectContains(text.output, {"device    Fake H200", "weights   3.", "ceilings  copy", "toy_cache_read",
                                 "% of ceiling", "host, µs a step", "asking for the graph", "for the device"});
  }
}

TEST_F(CudaToolsTest, BenchWithoutADriver) {
  auto outcome = run(withoutDriver + KIMI_BENCH, cudaArtifact);
  EXPECT_EQ(outcome.exitCode, 1);
  EXPECT_EQ(std::ranges::count(outcome.errors, '\n'), 1) << outcome.errors;
  expectContains(outcome.errors, {"no CUDA driver", "install NVIDIA driver R580"});
}

TEST_F(ToolsTest, BenchRefusesWhatDoesNotFit) {
  auto batch = bench(artifact + " --batch 9");
  EXPECT_EQ(batch.exitCode, 1);
  expectContains(batch.errors, {"a batch of 9 was asked; this artifact runs 1 to 8"});
  auto context = bench(artifact + " --context 300");
  EXPECT_EQ(context.exitCode, 1);
  expectContains(context.errors, {"the model has 300 positions"});
  auto cache = bench(artifact + " --batch 8 --context 100 --cache 40kb");
  EXPECT_EQ(cache.exitCode, 1);
  expectContains(cache.errors, {"need 24 cache blocks, but there are 10"});
  EXPECT_EQ(bench(artifact + " --batch 0").exitCode, 2);
}

} // namespace kimi::test
