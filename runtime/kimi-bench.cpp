// kimi-bench NAME.kimi: how fast an artifact loads, prefills and decodes here, kernel by kernel against what
// the machine can do, measured in the same run.
#include "runtime/Tool.h"
#include "runtime/base/Machine.h"
#include "runtime/base/ProgressLine.h"
#include "runtime/base/TextTable.h"
#include "runtime/base/Units.h"
#include "runtime/engine/Workload.h"
#include "runtime/kimi.h"

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>

namespace json = boost::json;
using namespace kimi;
using namespace kimi::runtime;

namespace {

constexpr const char *kProgram = "kimi-bench";
constexpr int64_t kProfiledSteps = 4; // more decode steps, after the timed ones

struct Options {
  std::string artifact;
  EngineOptions engine;
  WorkloadSize size{.batch = 1, .context = 0, .tokens = 32};
  bool skipVerify = false;
  bool json = false;
};

/// One kernel against the ceiling that binds it.
struct KernelRow {
  std::string name; // the time's own name lives as long as the engine only
  KernelTime time;
  bool isReadBound = true;
  double percentOfCeiling = 0; // 0 where the plan gives no cost
};

struct Phase {
  std::string name;
  int64_t tokens = 0;
  double seconds = 0;
  std::vector<KernelRow> kernels; // slowest first

  double tokensPerSecond() const { return seconds > 0 ? double(tokens) / seconds : 0; }
};

struct Result {
  std::string model, target, fingerprint;
  int numThreads = 0;
  double loadSeconds = 0;
  MachineCeilings ceilings;
  Phase prefill, decode;
};

double secondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::vector<KernelRow> rankKernels(const std::vector<KernelTime> &times, const MachineCeilings &ceilings) {
  std::vector<KernelRow> rows;
  for (const KernelTime &time : times) {
    double readSeconds = time.bytes / ceilings.readBytesPerSecond,
           fmaSeconds = time.flops / ceilings.flopsPerSecond;
    double percent = time.seconds > 0 ? 100 * std::max(readSeconds, fmaSeconds) / time.seconds : 0;
    rows.push_back({.name = std::string(time.name),
                    .time = time,
                    .isReadBound = readSeconds >= fmaSeconds,
                    .percentOfCeiling = percent});
  }
  std::ranges::sort(rows,
                    [](const KernelRow &a, const KernelRow &b) { return a.time.seconds > b.time.seconds; });
  return rows;
}

Expected<Phase> runPrefill(Engine &engine, Workload &workload, const WorkloadSize &size,
                           const MachineCeilings &ceilings) {
  ProgressLine line("prefill");
  Phase phase{.name = "prefill", .tokens = size.batch * size.context, .seconds = 0, .kernels = {}};
  std::string total = fmt::format("{} tokens", phase.tokens);
  engine.setProfiling(true);
  auto start = std::chrono::steady_clock::now();
  TRY(workload.prefill([&](int64_t done) { line.show(uint64_t(done), uint64_t(phase.tokens), total); }));
  phase.seconds = secondsSince(start);
  phase.kernels = rankKernels(engine.profile(), ceilings);
  return phase;
}

Expected<Phase> runDecode(Engine &engine, Workload &workload, const WorkloadSize &size,
                          const MachineCeilings &ceilings) {
  ProgressLine line("decode");
  Phase phase{.name = "decode", .tokens = size.batch * size.tokens, .seconds = 0, .kernels = {}};
  std::string total = fmt::format("{} steps", size.tokens);
  engine.setProfiling(false); // a GPU is timed kernel by kernel only outside its graph
  auto start = std::chrono::steady_clock::now();
  for (int64_t step = 0; step < size.tokens; ++step) {
    TRY(workload.decode());
    line.show(uint64_t(step + 1), uint64_t(size.tokens), total);
  }
  phase.seconds = secondsSince(start);
  engine.setProfiling(true);
  for (int64_t step = 0; step < kProfiledSteps; ++step)
    TRY(workload.decode());
  phase.kernels = rankKernels(engine.profile(), ceilings);
  return phase;
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
  result.fingerprint = engine->model().fingerprint;
  int64_t contextLength = engine->model().contextLength;
  if (options.size.context == 0)
    options.size.context = std::clamp<int64_t>(contextLength - options.size.tokens - kProfiledSteps, 1, 512);
  WorkloadSize size = options.size;
  size.tokens += kProfiledSteps;
  TRY_ASSIGN(Workload workload, Workload::create(*engine, size));
  TRY_ASSIGN(result.ceilings, engine->measureCeilings());
  // The first step maps pages and wakes threads: it is not what is measured.
  TRY_ASSIGN(Workload warmUp, Workload::create(*engine, {.batch = 1, .context = 1, .tokens = 1}));
  TRY(warmUp.prefill({}));
  TRY_ASSIGN(result.prefill, runPrefill(*engine, workload, options.size, result.ceilings));
  TRY_ASSIGN(result.decode, runDecode(*engine, workload, options.size, result.ceilings));
  return result;
}

void printPhase(const Phase &phase) {
  fmt::print("{}: {} tokens in {}: {:.2f} tokens/s\n", phase.name, phase.tokens, formatSeconds(phase.seconds),
             phase.tokensPerSecond());
  TextTable table({"kernel", ">launches", ">time", ">% of kernels", ">per launch", ">bytes", ">FLOPs", ">GB/s",
                   ">GFLOP/s", ">% of ceiling", "ceiling"});
  double kernelSeconds = 0;
  for (const KernelRow &row : phase.kernels)
    kernelSeconds += row.time.seconds;
  for (const KernelRow &row : phase.kernels) {
    const KernelTime &time = row.time;
    table.addRow({row.name, std::to_string(time.launches), formatSeconds(time.seconds),
                  fmt::format("{:.1f}", 100 * time.seconds / kernelSeconds),
                  formatSeconds(time.seconds / double(time.launches)), formatBytes(time.bytes),
                  formatCount(time.flops), fmt::format("{:.2f}", time.bytes / time.seconds * 1e-9),
                  fmt::format("{:.2f}", time.flops / time.seconds * 1e-9),
                  fmt::format("{:.1f}", row.percentOfCeiling), row.isReadBound ? "read" : "FMA"});
  }
  fmt::print("{}\n", table.text());
}

void printText(const Result &result, const Options &options) {
  fmt::print("{} ({}, {}, {})\n", options.artifact, result.model, result.target, result.fingerprint);
  fmt::print("  threads   {}\n", result.numThreads);
  fmt::print("  load      {}{}\n", formatSeconds(result.loadSeconds),
             options.skipVerify ? " (weights not verified)" : "");
  fmt::print("  ceilings  read {:.2f} GB/s, FMA {:.1f} GFLOP/s, of {}, measured now\n",
             result.ceilings.readBytesPerSecond * 1e-9, result.ceilings.flopsPerSecond * 1e-9, result.ceilings.processor);
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
                       {"ceiling", row.isReadBound ? "read" : "fma"},
                       {"percent_of_ceiling", row.percentOfCeiling}});
  return {{"tokens", phase.tokens},
          {"seconds", phase.seconds},
          {"tokens_per_second", phase.tokensPerSecond()},
          {"kernels", std::move(kernels)}};
}

void printJson(const Result &result, const Options &options) {
  json::object root{{"artifact", options.artifact},
                    {"model", result.model},
                    {"target", result.target},
                    {"fingerprint", result.fingerprint},
                    {"threads", result.numThreads},
                    {"batch", options.size.batch},
                    {"context", options.size.context},
                    {"new_tokens", options.size.tokens},
                    {"load_seconds", result.loadSeconds},
                    {"weights_verified", !options.skipVerify},
                    {"read_bytes_per_second", result.ceilings.readBytesPerSecond},
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
  app.add_flag("--json", options.json, "Print one JSON object instead of text");
  app.set_version_flag("--version", tool::versionText(kProgram));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return tool::exitCode(app, error);
  }
  options.engine.verifyWeights = !options.skipVerify;
  auto result = bench(options);
  if (!result)
    return tool::fail(kProgram, result.error());
  options.json ? printJson(*result, options) : printText(*result, options);
  return tool::kSuccess;
}
