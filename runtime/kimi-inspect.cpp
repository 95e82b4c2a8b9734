// kimi-inspect NAME.kimi: what an artifact holds and what it needs, without running it.
#include "runtime/Tool.h"
#include "runtime/base/Machine.h"
#include "runtime/base/ProgressLine.h"
#include "runtime/base/TextTable.h"
#include "runtime/base/Units.h"
#include "runtime/engine/Description.h"
#include "runtime/engine/PlanCheck.h"
#include "runtime/engine/Platform.h"

#include <boost/json.hpp>
#include <fmt/ranges.h>
#include <set>

namespace json = boost::json;
using namespace kimi;
using namespace kimi::runtime;

namespace {

constexpr const char *kProgram = "kimi-inspect";

struct Options {
  std::string artifact;
  std::string entry;        // empty: all
  uint64_t context = 0;     // 0: the model's, at most 4096
  uint64_t memoryBytes = 0; // 0: what is free here
  uint64_t cacheBytes = 0;  // as EngineOptions
  bool verify = false;
  bool json = false;
};

/// Everything both outputs print.
struct Report {
  const Artifact &artifact;
  std::string targetStatus; // "" = this machine runs it
  int64_t context = 0;
  std::vector<EntryDescription> entries;
  std::vector<WeightDescription> weights;
  std::vector<CacheDescription> caches;
  std::string memoryStatus;      // "" = memory.available is known
  MemoryNeed memory;             // of this rank
  std::vector<MemoryNeed> ranks; // of all
  uint64_t bytesPerBlock = 0;
  Expected<int64_t> cacheBlocks;
};

Expected<Report> makeReport(const Artifact &artifact, const Options &options) {
  const artifact::Rank &rank = artifact.rank();
  int64_t contextLength = artifact.plan().model()->context_length();
  Report report{.artifact = artifact,
                .targetStatus = {},
                .context =
                    options.context ? int64_t(options.context) : std::min<int64_t>(4096, contextLength),
                .entries = {},
                .weights = describeWeights(rank),
                .caches = describeCaches(rank),
                .memoryStatus = {},
                .memory = {},
                .ranks = {},
                .bytesPerBlock = blockBytes(rank),
                .cacheBlocks = 0};
  if (report.context > contextLength)
    return failure(
        fmt::format("--context {} is beyond the model's {} positions", report.context, contextLength));
  const Platform &platform = Platform::of(rank.target()->string_view());
  if (auto status = platform.check(rank.target()->string_view()); !status)
    report.targetStatus = status.error().message;
  for (const artifact::Entry *entry : *rank.entries())
    if (options.entry.empty() || options.entry == entry->name()->string_view())
      report.entries.push_back(describeEntry(rank, *entry, report.context));
  if (report.entries.empty()) {
    std::vector<std::string> names;
    for (const artifact::Entry *entry : *rank.entries())
      names.push_back(entry->name()->str());
    return failure(fmt::format("there is no entry {}; there are {}", options.entry, fmt::join(names, ", ")));
  }
  Expected<uint64_t> available = options.memoryBytes;
  if (!options.memoryBytes)
    available = platform.availableMemory();
  if (!available)
    report.memoryStatus = "this machine has none of the target's memory: --memory SIZE says what fits";
  for (const artifact::Rank *each : *artifact.plan().ranks())
    report.ranks.push_back(describeMemory(artifact.plan(), *each, available.value_or(0)));
  report.memory = report.ranks.front();
  report.cacheBlocks = chooseCacheBlocks(rank, options.cacheBytes, report.memory);
  return report;
}

// --- Text
// -----------------------------------------------------------------------------------------------------------

void printHeader(const Report &report, const Options &options) {
  const artifact::Model &model = *report.artifact.plan().model();
  const Manifest &manifest = report.artifact.manifest();
  fmt::print("{}\n", options.artifact);
  fmt::print("  model     {}: {} layers, hidden {}, vocabulary {}, context {}\n", model.name()->string_view(),
             model.layers(), model.hidden(), model.vocabulary(), model.context_length());
  fmt::print("  numerics  {}\n", model.numerics() ? model.numerics()->string_view() : "not recorded");
  fmt::print("  target    {} ({})\n", report.artifact.rank().target()->string_view(),
             report.targetStatus.empty() ? "this machine runs it"
                                         : "not on this machine: " + report.targetStatus);
  if (!manifest.weights.empty() && manifest.weights != "packed")
    fmt::print("  weights   {}: {}\n", manifest.weights,
               manifest.weights.starts_with("random") || manifest.weights == "shapes" ? "for benchmarks, not a model" : "of the checkpoint");
  if (!manifest.layers.empty())
    fmt::print("  layers    {}: part of a model, for benchmarks\n", manifest.layers);
  fmt::print("  compiler  {}, artifact format {}\n", manifest.compilerVersion, manifest.formatVersion);
  fmt::print("  plan      {}, {}, hash {}\n", report.artifact.fingerprint(),
             formatBytes(double(manifest.planBytes)), manifest.planHash);
  fmt::print("  verified  plan, code and tokenizer files{}\n\n",
             manifest.weights == "shapes" ? "; weights are made when loaded"
             : options.verify             ? ", weights"
                                          : "; not the weights (--verify)");
}

void printEntries(const Report &report) {
  fmt::print("Entries (costs of a full step at {} positions per token)\n", report.context);
  TextTable table(
      {"entry", "kind", ">tokens", ">sequences", ">logit rows", ">launches", ">arena", ">bytes", ">FLOPs"});
  for (const EntryDescription &entry : report.entries)
    table.addRow({entry.name, entry.kind, std::to_string(entry.capacity.maxTokens),
                  std::to_string(entry.capacity.maxSequences), std::to_string(entry.capacity.maxLogitRows),
                  std::to_string(entry.launches), formatBytes(double(entry.arenaBytes)),
                  formatBytes(entry.bytes), formatCount(entry.flops)});
  fmt::print("{}\n", table.text());
}

void printKernels(const EntryDescription &entry) {
  fmt::print("Kernels of {}\n", entry.name);
  TextTable table({"kernel", "implementation", ">launches", ">tasks", ">bytes", ">FLOPs", "parameters"});
  for (const KernelUse &kernel : entry.kernels)
    table.addRow({kernel.name, kernel.implementation, std::to_string(kernel.launches), std::to_string(kernel.tasks),
                  formatBytes(kernel.bytes), formatCount(kernel.flops), kernel.parameters});
  fmt::print("{}\n", table.text());
}

void printArena(const EntryDescription &entry) {
  fmt::print("Arena of {}: {}\n", entry.name, formatBytes(double(entry.arenaBytes)));
  TextTable table({">offset", ">uses", ">first launch", ">last launch", "kernels"});
  for (const ArenaUse &use : entry.arena)
    table.addRow({std::to_string(use.offset), std::to_string(use.uses), std::to_string(use.firstLaunch),
                  std::to_string(use.lastLaunch), fmt::format("{}", fmt::join(use.kernels, " "))});
  fmt::print("{}\n", table.text());
}

void printWeights(const Report &report) {
  uint64_t bytes = 0;
  TextTable table({"weight", "type", "shape", "layout", ">layers", ">bytes", "source"});
  for (const WeightDescription &weight : report.weights) {
    bytes += weight.bytes;
    uint32_t last = weight.firstLayer + std::max(weight.numSlices, 1u) - 1;
    table.addRow({weight.name, weight.type, fmt::format("{}", fmt::join(weight.shape, "x")), weight.layout,
                  weight.numSlices == 1 && weight.firstLayer == 0
                      ? "-"
                      : fmt::format("{}-{}", weight.firstLayer, last),
                  formatBytes(double(weight.bytes)), weight.source});
  }
  fmt::print("Weights: {}, {} in files\n{}\n", formatBytes(double(bytes)),
             formatBytes(double(report.memory.weights)), table.text());
}

/// What each rank needs, and what of the given memory is left for its cache.
void printRanks(const Report &report) {
  bool isKnown = report.memoryStatus.empty();
  fmt::print("Memory of each rank{}\n", isKnown ? ", and the cache tokens that fit beside it in " +
                                                      formatBytes(double(report.memory.available))
                                                : "");
  TextTable table({">rank", ">weights", ">code", ">arena", ">step table", ">together", ">cache per token", ">tokens"});
  for (uint32_t i = 0; i < report.ranks.size(); ++i) {
    const MemoryNeed &need = report.ranks[i];
    const artifact::Rank &rank = *report.artifact.plan().ranks()->Get(i);
    table.addRow({std::to_string(i), formatBytes(double(need.weights)), formatBytes(double(need.code)),
                  formatBytes(double(need.arena)), formatBytes(double(need.stepTable)),
                  formatBytes(double(need.total())), formatBytes(double(blockBytes(rank)) / kBlockTokens),
                  !isKnown                        ? "?"
                  : need.total() > need.available ? "too little memory"
                                                  : std::to_string(tokensBeside(rank, need))});
  }
  fmt::print("{}\n", table.text());
}

void printMemory(const Report &report) {
  printRanks(report);
  for (const CacheDescription &cache : report.caches)
    fmt::print("  cache {}: {} values of {} in {} layers, {} per token\n", cache.name, cache.values,
               cache.type, cache.layers, formatBytes(double(cache.bytesPerToken)));
  const MemoryNeed &need = report.memory;
  if (!report.memoryStatus.empty())
    fmt::print("  {}\n", report.memoryStatus);
  else if (need.total() > need.available)
    fmt::print("  too little memory to load: {} is needed, {} there\n", formatBytes(double(need.total())),
               formatBytes(double(need.available)));
  else if (!report.cacheBlocks)
    fmt::print("  {}\n", report.cacheBlocks.error().message);
  else
    fmt::print("  as loaded, the cache holds {} tokens in {} blocks of {}: {} (--cache asks for more)\n",
               *report.cacheBlocks * kBlockTokens, *report.cacheBlocks, kBlockTokens,
               formatBytes(double(uint64_t(*report.cacheBlocks) * report.bytesPerBlock)));
}

void printText(const Report &report, const Options &options) {
  printHeader(report, options);
  printEntries(report);
  for (const EntryDescription &entry : report.entries) {
    printKernels(entry);
    printArena(entry);
  }
  printWeights(report);
  printMemory(report);
}

// --- JSON
// -----------------------------------------------------------------------------------------------------------

json::object toJson(const EntryDescription &entry) {
  json::array kernels, arena;
  for (const KernelUse &kernel : entry.kernels)
    kernels.push_back({{"name", kernel.name},
                       {"implementation", kernel.implementation},
                       {"parameters", kernel.parameters},
                       {"launches", kernel.launches},
                       {"tasks", kernel.tasks},
                       {"bytes", kernel.bytes},
                       {"flops", kernel.flops}});
  for (const ArenaUse &use : entry.arena)
    arena.push_back({{"offset", use.offset},
                     {"uses", use.uses},
                     {"first_launch", use.firstLaunch},
                     {"last_launch", use.lastLaunch},
                     {"kernels", json::value_from(use.kernels)}});
  const Limits &capacity = entry.capacity;
  return {{"name", entry.name},
          {"kind", entry.kind},
          {"max_tokens", capacity.maxTokens},
          {"max_sequences", capacity.maxSequences},
          {"max_logit_rows", capacity.maxLogitRows},
          {"max_table_blocks", capacity.maxTableBlocks},
          {"max_bias_entries", capacity.maxBiasEntries},
          {"max_penalty_entries", capacity.maxPenaltyEntries},
          {"arena_bytes", entry.arenaBytes},
          {"launches", entry.launches},
          {"bytes", entry.bytes},
          {"flops", entry.flops},
          {"kernels", std::move(kernels)},
          {"arena", std::move(arena)}};
}

json::object toJson(const WeightDescription &weight) {
  return {{"name", weight.name},        {"source", weight.source},
          {"type", weight.type},        {"shape", json::value_from(weight.shape)},
          {"layout", weight.layout},    {"first_layer", weight.firstLayer},
          {"slices", weight.numSlices}, {"bytes", weight.bytes}};
}

json::object memoryJson(const Report &report) {
  json::object memory{{"weights", report.memory.weights},
                      {"code", report.memory.code},
                      {"arena", report.memory.arena},
                      {"step_table", report.memory.stepTable},
                      {"total_without_cache", report.memory.total()},
                      {"cache_bytes_per_block", report.bytesPerBlock},
                      {"block_tokens", kBlockTokens}};
  bool isKnown = report.memoryStatus.empty();
  memory["available"] = isKnown ? json::value(report.memory.available) : json::value(nullptr);
  memory["cache_blocks"] =
      isKnown && report.cacheBlocks ? json::value(*report.cacheBlocks) : json::value(nullptr);
  memory["cache_tokens"] =
      isKnown && report.cacheBlocks ? json::value(*report.cacheBlocks * kBlockTokens) : json::value(nullptr);
  json::array ranks;
  for (uint32_t i = 0; i < report.ranks.size(); ++i) {
    const MemoryNeed &need = report.ranks[i];
    const artifact::Rank &rank = *report.artifact.plan().ranks()->Get(i);
    ranks.push_back(
        {{"weights", need.weights},
         {"code", need.code},
         {"arena", need.arena},
         {"step_table", need.stepTable},
         {"total_without_cache", need.total()},
         {"cache_bytes_per_token", blockBytes(rank) / kBlockTokens},
         {"tokens_beside", isKnown ? json::value(tokensBeside(rank, need)) : json::value(nullptr)}});
  }
  memory["ranks"] = std::move(ranks);
  return memory;
}

void printJson(const Report &report, const Options &options) {
  const artifact::Model &model = *report.artifact.plan().model();
  const Manifest &manifest = report.artifact.manifest();
  json::array entries, weights, caches;
  for (const EntryDescription &entry : report.entries)
    entries.push_back(toJson(entry));
  for (const WeightDescription &weight : report.weights)
    weights.push_back(toJson(weight));
  for (const CacheDescription &cache : report.caches)
    caches.push_back({{"name", cache.name},
                      {"type", cache.type},
                      {"values", cache.values},
                      {"layers", cache.layers},
                      {"bytes_per_token", cache.bytesPerToken}});
  json::object root{{"artifact", options.artifact},
                    {"format_version", manifest.formatVersion},
                    {"compiler_version", manifest.compilerVersion},
                    {"fingerprint", report.artifact.fingerprint()},
                    {"plan_hash", manifest.planHash},
                    {"plan_bytes", manifest.planBytes},
                    {"model", model.name()->str()},
                    {"numerics", model.numerics() ? model.numerics()->str() : ""},
                    {"target", report.artifact.rank().target()->str()},
                    {"runs_here", report.targetStatus.empty()},
                    {"layers", model.layers()},
                    {"hidden", model.hidden()},
                    {"vocabulary", model.vocabulary()},
                    {"context_length", model.context_length()},
                    {"cost_context", report.context},
                    {"weights_kind", manifest.weights},
                    {"layers_kind", manifest.layers},
                    {"weights_verified", options.verify},
                    {"entries", std::move(entries)},
                    {"weights", std::move(weights)},
                    {"caches", std::move(caches)},
                    {"memory", memoryJson(report)}};
  fmt::print("{}\n", json::serialize(root));
}

Status inspect(const Options &options) {
  ProgressLine line("verifying");
  auto progress = [&](uint64_t done, uint64_t total) { line.show(done, total, formatBytes(double(total))); };
  TRY_ASSIGN(Artifact artifact,
             Artifact::open(options.artifact, {.numThreads = usableThreads(), .progress = progress}));
  if (options.verify)
    TRY(artifact.verifyWeights(usableThreads(), progress));
  TRY_ASSIGN(Report report, makeReport(artifact, options));
  options.json ? printJson(report, options) : printText(report, options);
  return {};
}

} // namespace

int main(int argc, char **argv) {
  Options options;
  CLI::App app("Show what a compiled model holds: entries, kernels and their costs, the arena, weights, and "
               "the memory "
               "it needs.",
               kProgram);
  app.footer(std::string("Example: kimi-inspect model.kimi --entry decode_1 --context 8192\n\n") +
             tool::kExitCodeHelp);
  app.add_option("ARTIFACT", options.artifact, "The artifact directory, NAME.kimi")->required();
  app.add_flag("--json", options.json, "Print one JSON object instead of text");
  app.add_option("--entry", options.entry, "Show only this entry");
  app.add_option("--context", options.context,
                 "Positions each token attends to in the costs (default: the model's "
                 "context, at most 4096)");
  app.add_flag("--verify", options.verify, "Hash the weight files too; plan, code and tokenizer always are");
  app.add_option("--memory", options.memoryBytes,
                 "Plan for a machine with this much free memory, as 64GiB (default: "
                 "what is free here)")
      ->transform(tool::sizeValue());
  app.add_option("--cache", options.cacheBytes,
                 "Memory for the cache, as 8GiB (default: full decode batches, at most a "
                 "quarter of the free memory)")
      ->transform(tool::sizeValue());
  app.set_version_flag("--version", tool::versionText(kProgram));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return tool::exitCode(app, error);
  }
  if (auto status = inspect(options); !status)
    return tool::fail(kProgram, status.error());
  return tool::kSuccess;
}
