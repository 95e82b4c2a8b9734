// kimi-bench NAME.kimi: how fast an artifact loads, prefills and decodes here, kernel by kernel against what
// the machine can do, measured in the same run.
#include "runtime/Tool.h"
#include "runtime/base/Clock.h"
#include "runtime/base/Machine.h"
#include "runtime/base/ProgressLine.h"
#include "runtime/base/TextTable.h"
#include "runtime/base/Units.h"
#include "runtime/engine/HostTimes.h"
#include "runtime/engine/Platform.h"
#include "runtime/engine/Workload.h"
#include "runtime/kimi.h"

#include <algorithm>
#include <boost/algorithm/string/case_conv.hpp>
#include <boost/json.hpp>

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
  int64_t tokens = 0, steps = 0;
  double seconds = 0;
  HostTimes host;                 // of each step; means something where there is a device
  std::vector<KernelRow> kernels; // slowest first; on a device, of a second run: one after another

  double kernelSeconds() const {
    double sum = 0;
    for (const KernelRow &row : kernels)
      sum += row.time.seconds;
    return sum;
  }
  double tokensPerSecond() const { return seconds > 0 ? double(tokens) / seconds : 0; }
  double perStep(double sum) const { return steps > 0 ? sum / double(steps) : 0; }
};

struct Result {
  std::string model, target, device, fingerprint;
  int numThreads = 0;
  double loadSeconds = 0;
  LoadReport weights;
  Ceilings ceilings;
  Phase prefill, decode;
};

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

/// Times `run`, which counts the phase's steps.
Status timePhase(Engine &engine, const Ceilings &ceilings, bool isProfiled, Phase &phase,
                 const std::function<Status()> &run) {
  engine.setProfiling(isProfiled);
  auto start = Clock::now();
  phase.host.begin();
  TRY(run());
  phase.seconds = secondsSince(start);
  phase.kernels = rankKernels(engine.profile(), ceilings);
  return {};
}

Expected<Phase> runPrefill(Engine &engine, Workload &workload, const WorkloadSize &size,
                           const Ceilings &ceilings, bool isProfiled) {
  ProgressLine line("prefill");
  Phase phase{.name = "prefill", .tokens = size.batch * (size.context - size.cached), .host = {}, .kernels = {}};
  std::string total = fmt::format("{} tokens", phase.tokens);
  TRY(timePhase(engine, ceilings, isProfiled, phase, [&] {
    return workload.prefill([&](int64_t done) {
      ++phase.steps;
      line.show(uint64_t(done), uint64_t(phase.tokens), total);
      phase.host.endStep(engine.lastStepTimes());
    });
  }));
  return phase;
}

Expected<Phase> runDecode(Engine &engine, Workload &workload, const WorkloadSize &size,
                          const Ceilings &ceilings, bool isProfiled) {
  ProgressLine line("decode");
  Phase phase{.name = "decode", .tokens = size.batch * size.tokens, .host = {}, .kernels = {}};
  std::string total = fmt::format("{} steps", size.tokens);
  TRY(timePhase(engine, ceilings, isProfiled, phase, [&]() -> Status {
    while (phase.steps < size.tokens) {
      TRY(workload.decode());
      line.show(uint64_t(++phase.steps), uint64_t(size.tokens), total);
      phase.host.endStep(engine.lastStepTimes());
    }
    return {};
  }));
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
  auto start = Clock::now();
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

/// Where one step's time goes.
void printStep(const Phase &phase, bool isDevice) {
  double step = phase.perStep(phase.seconds), kernels = phase.perStep(phase.kernelSeconds());
  auto print = [](const char *what, double seconds, const char *means) {
    fmt::print("  {:8} {:>10}  {}\n", what, fmt::format("{:.1f} µs", seconds * 1e6), means);
  };
  print("a step", step, "mean");
  print("kernels", kernels,
        isDevice ? "their sum, in a second run that does not let them overlap" : "their sum");
  print("rest", step - kernels,
        isDevice ? "gaps between kernels, copies, the host's part; below 0: kernels overlap"
                 : "between kernels");
}

/// What the host does while the device has nothing to do.
void printHost(const HostTimes &host) {
  TextTable table({"host, µs a step", ">mean", ">median", ">longest", "is"});
  auto microseconds = [](double seconds) { return fmt::format("{:.1f}", seconds * 1e6); };
  for (int which = 0; which < HostTimes::kNumParts; ++which) {
    HostTimes::Part part = host.part(HostTimes::Which(which));
    table.addRow({part.name, microseconds(part.mean), microseconds(part.median), microseconds(part.longest),
                  which == HostTimes::kUpload ? fmt::format("{}: {:.1f}, {}", part.is, host.copies(),
                                                            formatBytes(host.copiedBytes()))
                                              : part.is});
  }
  fmt::print("{}", table.text());
}

void printPhase(const Phase &phase, bool isDevice) {
  fmt::print("{}: {} tokens in {}, {} steps: {:.2f} tokens/s\n", phase.name, phase.tokens,
             formatSeconds(phase.seconds), phase.steps, phase.tokensPerSecond());
  printStep(phase, isDevice);
  if (isDevice)
    printHost(phase.host);
  TextTable table({"kernel", ">launches", ">time", ">% of kernels", ">per launch", ">bytes", ">FLOPs",
                   ">GB/s", ">GFLOP/s", ">% of ceiling", "ceiling"});
  for (const KernelRow &row : phase.kernels) {
    const KernelTime &time = row.time;
    table.addRow({row.name, std::to_string(time.launches), formatSeconds(time.seconds),
                  fmt::format("{:.1f}", 100 * time.seconds / phase.kernelSeconds()),
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
  fmt::print("  workload  batch {}, context {}{}, {} new tokens\n\n", options.size.batch, options.size.context,
             options.size.cached > 0 ? fmt::format(" ({} of it taken to be cached)", options.size.cached) : "",
             options.size.tokens);
  printPhase(result.prefill, !result.device.empty());
  printPhase(result.decode, !result.device.empty());
}

void addHost(const HostTimes &host, json::object &phase) {
  phase["step_host_seconds"] = host.part(HostTimes::kHost).mean;
  phase["step_copies"] = host.copies();
  phase["step_copied_bytes"] = host.copiedBytes();
  json::object parts;
  for (int which = 0; which < HostTimes::kNumParts; ++which) {
    HostTimes::Part part = host.part(HostTimes::Which(which));
    parts[part.name] = {
        {"mean_seconds", part.mean}, {"median_seconds", part.median}, {"longest_seconds", part.longest}};
  }
  phase["host_parts"] = std::move(parts);
}

json::object toJson(const Phase &phase, bool isDevice) {
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
  json::object object{{"tokens", phase.tokens},
                      {"steps", phase.steps},
                      {"seconds", phase.seconds},
                      {"tokens_per_second", phase.tokensPerSecond()},
                      {"step_seconds", phase.perStep(phase.seconds)},
                      {"step_kernel_seconds", phase.perStep(phase.kernelSeconds())},
                      {"step_rest_seconds", phase.perStep(phase.seconds - phase.kernelSeconds())},
                      {"kernel_seconds", phase.kernelSeconds()},
                      {"kernels", std::move(kernels)}};
  if (isDevice)
    addHost(phase.host, object);
  return object;
}

/// Ceilings under the names of what was measured: "read_bytes_per_second" of a CPU, "copy_bytes_per_second"
/// of a GPU.
void addCeilings(const Ceilings &ceilings, json::object &root) {
  auto add = [&](const char *name, const char *unit, double value) {
    if (value > 0)
      root[boost::algorithm::to_lower_copy(std::string(name)) + unit] = value;
  };
  add(ceilings.bytesName, "_bytes_per_second", ceilings.bytesPerSecond);
  add(ceilings.flopsName, "_flops_per_second", ceilings.flopsPerSecond);
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
                    {"cached", options.size.cached},
                    {"new_tokens", options.size.tokens},
                    {"load_seconds", result.loadSeconds},
                    {"weights_verified", !options.skipVerify},
                    {"prefill", toJson(result.prefill, !result.device.empty())},
                    {"decode", toJson(result.decode, !result.device.empty())}};
  if (result.weights.weightBytes > 0) {
    root["weight_bytes"] = result.weights.weightBytes;
    root["weight_bytes_per_second"] = weightRate(result);
  }
  addCeilings(result.ceilings, root);
  fmt::print("{}\n", json::serialize(root));
}

} // namespace

int main(int argc, char **argv) {
  Options options;
  CLI::App app(
      "Measure a compiled model on this machine: load time, prefill and decode speed, and every "
      "kernel against what the machine can do (a CPU's read bandwidth and FMA peak, a GPU's copies).",
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
  app.add_option("--cached", options.size.cached,
                 "Positions of each that the cache is taken to hold already: nothing is computed for them, the cache is as it "
                 "is (zeros), and only speed means something")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
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
