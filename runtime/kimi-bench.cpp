// kimi-bench NAME.kimi: how fast an artifact loads, prefills and decodes here, kernel by kernel against what
// the machine can do, measured in the same run.
#include "runtime/Tool.h"
#include "runtime/base/Machine.h"
#include "runtime/base/ProgressLine.h"
#include "runtime/base/TextTable.h"
#include "runtime/base/Units.h"
#include "runtime/engine/Platform.h"
#include "runtime/engine/Workload.h"
#include "runtime/kimi.h"

#include <algorithm>
#include <boost/algorithm/string/case_conv.hpp>
#include <boost/json.hpp>
#include <chrono>

namespace json = boost::json;
using namespace kimi;
using namespace kimi::runtime;

namespace {

constexpr const char *kProgram = "kimi-bench";

struct Options {
  std::string artifact;
  EngineOptions engine;
  WorkloadSize size{.batch = 1, .context = 0, .tokens = 32};
  bool skipVerify = false, noGraph = false;
  bool json = false;
};

/// One kernel against the ceiling that binds it.
struct KernelRow {
  std::string name; // the time's own name lives as long as the engine only
  KernelTime time;
  const char *ceiling = "";    // its name
  double percentOfCeiling = 0; // 0 where the plan gives no cost, or nothing was measured
};

struct Phase {
  std::string name;
  int64_t tokens = 0;
  double seconds = 0;
  std::vector<KernelRow> kernels; // slowest first

  double kernelSeconds() const {
    double sum = 0;
    for (const KernelRow &row : kernels)
      sum += row.time.seconds;
    return sum;
  }
  double tokensPerSecond() const { return seconds > 0 ? double(tokens) / seconds : 0; }
};

struct Result {
  std::string model, target, device, fingerprint;
  int numThreads = 0;
  double loadSeconds = 0;
  LoadReport weights;
  Ceilings ceilings;
  Phase prefill, decode;
};

double secondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Seconds that so much takes at the ceiling; 0 when the ceiling is not known.
double secondsAt(double ceiling, double amount) { return ceiling > 0 ? amount / ceiling : 0; }

std::vector<KernelRow> rankKernels(const std::vector<KernelTime> &times, const Ceilings &ceilings) {
  std::vector<KernelRow> rows;
  for (const KernelTime &time : times) {
    double bytesSeconds = secondsAt(ceilings.bytesPerSecond, time.bytes),
           flopsSeconds = secondsAt(ceilings.flopsPerSecond, time.flops);
    double percent = time.seconds > 0 ? 100 * std::max(bytesSeconds, flopsSeconds) / time.seconds : 0;
    rows.push_back({.name = std::string(time.name),
                    .time = time,
                    .ceiling = bytesSeconds >= flopsSeconds ? ceilings.bytesName : ceilings.flopsName,
                    .percentOfCeiling = percent});
  }
  std::ranges::sort(rows,
                    [](const KernelRow &a, const KernelRow &b) { return a.time.seconds > b.time.seconds; });
  return rows;
}

Expected<Phase> runPrefill(Engine &engine, Workload &workload, const WorkloadSize &size,
                           const Ceilings &ceilings, bool isProfiled) {
  ProgressLine line("prefill");
  Phase phase{.name = "prefill", .tokens = size.batch * size.context, .seconds = 0, .kernels = {}};
  std::string total = fmt::format("{} tokens", phase.tokens);
  engine.setProfiling(isProfiled);
  auto start = std::chrono::steady_clock::now();
  TRY(workload.prefill([&](int64_t done) { line.show(uint64_t(done), uint64_t(phase.tokens), total); }));
  phase.seconds = secondsSince(start);
  phase.kernels = rankKernels(engine.profile(), ceilings);
  return phase;
}

Expected<Phase> runDecode(Engine &engine, Workload &workload, const WorkloadSize &size,
                          const Ceilings &ceilings, bool isProfiled) {
  ProgressLine line("decode");
  Phase phase{.name = "decode", .tokens = size.batch * size.tokens, .seconds = 0, .kernels = {}};
  std::string total = fmt::format("{} steps", size.tokens);
  engine.setProfiling(isProfiled);
  auto start = std::chrono::steady_clock::now();
  for (int64_t step = 0; step < size.tokens; ++step) {
    TRY(workload.decode());
    line.show(uint64_t(step + 1), uint64_t(size.tokens), total);
  }
  phase.seconds = secondsSince(start);
  phase.kernels = rankKernels(engine.profile(), ceilings);
  return phase;
}

/// Both phases. Where profiling changes how a step runs, on a device, the phases are timed without it, and
/// their kernels in a second run.
Status runPhases(Engine &engine, Workload &workload, const WorkloadSize &size, Result &result) {
  bool isDevice = !result.device.empty();
  TRY_ASSIGN(result.prefill, runPrefill(engine, workload, size, result.ceilings, !isDevice));
  TRY_ASSIGN(result.decode, runDecode(engine, workload, size, result.ceilings, !isDevice));
  if (!isDevice)
    return {};
  TRY_ASSIGN(Phase prefill, runPrefill(engine, workload, size, result.ceilings, /*isProfiled=*/true));
  TRY_ASSIGN(Phase decode, runDecode(engine, workload, size, result.ceilings, /*isProfiled=*/true));
  result.prefill.kernels = std::move(prefill.kernels);
  result.decode.kernels = std::move(decode.kernels);
  return {};
}

Expected<Result> bench(Options &options) {
  Result result;
  result.numThreads = options.engine.numThreads > 0 ? options.engine.numThreads : usableThreads();
  auto start = std::chrono::steady_clock::now();
  std::unique_ptr<Engine> engine;
  {
    ProgressLine line("loading");
    options.engine.progress = [&](uint64_t done, uint64_t total) {
      line.show(done, total, formatBytes(double(total)));
    };
    TRY_ASSIGN(engine, Engine::load(options.artifact, options.engine));
  }
  result.loadSeconds = secondsSince(start);
  result.model = engine->model().name;
  result.target = engine->model().target;
  result.device = engine->model().device;
  result.weights = engine->loadReport();
  result.fingerprint = engine->model().fingerprint;
  int64_t contextLength = engine->model().contextLength;
  if (options.size.context == 0)
    options.size.context = std::clamp<int64_t>(contextLength - options.size.tokens, 1, 512);
  TRY_ASSIGN(Workload workload, Workload::create(*engine, options.size));
  TRY_ASSIGN(result.ceilings, Platform::of(result.target).measureCeilings(result.numThreads));
  // The first step maps pages and wakes threads: it is not what is measured.
  TRY_ASSIGN(Workload warmUp, Workload::create(*engine, {.batch = 1, .context = 1, .tokens = 1}));
  TRY(warmUp.prefill({}));
  TRY(runPhases(*engine, workload, options.size, result));
  return result;
}

/// Bytes per second from the files into the memory that kernels read; on the CPU, of hashing them.
double weightRate(const Result &result) {
  return result.weights.weightSeconds > 0 ? double(result.weights.weightBytes) / result.weights.weightSeconds
                                          : 0;
}

void printPhase(const Phase &phase) {
  fmt::print("{}: {} tokens in {}: {:.2f} tokens/s; kernels {:.1f} % of the time\n", phase.name, phase.tokens,
             formatSeconds(phase.seconds), phase.tokensPerSecond(),
             100 * phase.kernelSeconds() / phase.seconds);
  TextTable table({"kernel", ">launches", ">time", ">% of phase", ">per launch", ">bytes", ">FLOPs", ">GB/s",
                   ">GFLOP/s", ">% of ceiling", "ceiling"});
  for (const KernelRow &row : phase.kernels) {
    const KernelTime &time = row.time;
    table.addRow({row.name, std::to_string(time.launches), formatSeconds(time.seconds),
                  fmt::format("{:.1f}", 100 * time.seconds / phase.seconds),
                  formatSeconds(time.seconds / double(time.launches)), formatBytes(time.bytes),
                  formatCount(time.flops), fmt::format("{:.2f}", time.bytes / time.seconds * 1e-9),
                  fmt::format("{:.2f}", time.flops / time.seconds * 1e-9),
                  fmt::format("{:.1f}", row.percentOfCeiling), row.ceiling});
  }
  fmt::print("{}\n", table.text());
}

void printText(const Result &result, const Options &options) {
  fmt::print("{} ({}, {}, {})\n", options.artifact, result.model, result.target, result.fingerprint);
  if (!result.device.empty())
    fmt::print("  device    {}\n", result.device);
  fmt::print("  threads   {}\n", result.numThreads);
  fmt::print("  load      {}{}\n", formatSeconds(result.loadSeconds),
             options.skipVerify ? " (weights not verified)" : "");
  if (result.weights.weightBytes > 0)
    fmt::print("  weights   {} in {}: {:.2f} GB/s\n", formatBytes(double(result.weights.weightBytes)),
               formatSeconds(result.weights.weightSeconds), weightRate(result) * 1e-9);
  fmt::print("  ceilings  {} {:.2f} GB/s", result.ceilings.bytesName, result.ceilings.bytesPerSecond * 1e-9);
  if (result.ceilings.flopsPerSecond > 0)
    fmt::print(", {} {:.1f} GFLOP/s", result.ceilings.flopsName, result.ceilings.flopsPerSecond * 1e-9);
  fmt::print(", measured now{}\n", result.device.empty() ? " with the same threads" : "");
  fmt::print("  workload  batch {}, context {}, {} new tokens\n\n", options.size.batch, options.size.context,
             options.size.tokens);
  printPhase(result.prefill);
  printPhase(result.decode);
}

json::object toJson(const Phase &phase) {
  json::array kernels;
  for (const KernelRow &row : phase.kernels)
    kernels.push_back({{"name", row.name},
                       {"launches", row.time.launches},
                       {"seconds", row.time.seconds},
                       {"bytes", row.time.bytes},
                       {"flops", row.time.flops},
                       {"bytes_per_second", row.time.bytes / row.time.seconds},
                       {"flops_per_second", row.time.flops / row.time.seconds},
                       {"ceiling", boost::algorithm::to_lower_copy(std::string(row.ceiling))},
                       {"percent_of_ceiling", row.percentOfCeiling}});
  return {{"tokens", phase.tokens},
          {"seconds", phase.seconds},
          {"tokens_per_second", phase.tokensPerSecond()},
          {"kernel_seconds", phase.kernelSeconds()},
          {"kernels", std::move(kernels)}};
}

void printJson(const Result &result, const Options &options) {
  json::object root{{"artifact", options.artifact},
                    {"model", result.model},
                    {"target", result.target},
                    {"device", result.device},
                    {"fingerprint", result.fingerprint},
                    {"threads", result.numThreads},
                    {"batch", options.size.batch},
                    {"context", options.size.context},
                    {"new_tokens", options.size.tokens},
                    {"load_seconds", result.loadSeconds},
                    {"weights_verified", !options.skipVerify},
                    {"weight_bytes", result.weights.weightBytes},
                    {"weight_bytes_per_second", weightRate(result)},
                    {"read_bytes_per_second", result.ceilings.bytesPerSecond},
                    {"fma_flops_per_second", result.ceilings.flopsPerSecond},
                    {"prefill", toJson(result.prefill)},
                    {"decode", toJson(result.decode)}};
  fmt::print("{}\n", json::serialize(root));
}

} // namespace

int main(int argc, char **argv) {
  Options options;
  CLI::App app("Measure a compiled model on this machine: load time, prefill and decode speed, and every "
               "kernel against "
               "the machine's read bandwidth and FMA peak.",
               kProgram);
  app.footer(std::string("Example: kimi-bench model.kimi --batch 4 --context 2048 --tokens 64\n\n") +
             tool::kExitCodeHelp);
  app.add_option("ARTIFACT", options.artifact, "The artifact directory, NAME.kimi")->required();
  app.add_option("--batch", options.size.batch, "Sequences that run together")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--context", options.size.context,
                 "Prompt tokens of each sequence (default: what fits, at most 512)")
      ->check(CLI::PositiveNumber);
  app.add_option("--tokens", options.size.tokens, "Decode steps")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--threads", options.engine.numThreads, "Threads (default: as many as the process may use)")
      ->check(CLI::PositiveNumber);
  app.add_option("--cache", options.engine.cacheBytes,
                 "Memory for the cache, as 8GiB (default: full decode batches, at "
                 "most a quarter of the free memory)")
      ->transform(tool::sizeValue());
  app.add_flag("--no-verify", options.skipVerify, "Do not hash the weight files while loading");
  app.add_flag("--no-graph", options.noGraph,
               "CUDA: launch every kernel by itself and wait for it, so that an error names the kernel");
  app.add_flag("--json", options.json, "Print one JSON object instead of text");
  app.set_version_flag("--version", tool::versionText(kProgram));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return tool::exitCode(app, error);
  }
  options.engine.verifyWeights = !options.skipVerify;
  options.engine.useGraphs = !options.noGraph;
  auto result = bench(options);
  if (!result)
    return tool::fail(kProgram, result.error());
  options.json ? printJson(*result, options) : printText(*result, options);
  return tool::kSuccess;
}
