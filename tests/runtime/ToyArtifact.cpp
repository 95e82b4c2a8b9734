#include "tests/runtime/ToyArtifact.h"

#include "runtime/base/Hash.h"

#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace kimi::test {

using namespace artifact;

ScratchDirectory::ScratchDirectory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "kimi-test-XXXXXX").string();
  directory = mkdtemp(pattern.data());
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
}

std::string readFile(const std::filesystem::path &path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

void writeFile(const std::filesystem::path &path, std::string_view bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary).write(bytes.data(), std::streamsize(bytes.size()));
}

// Small whole numbers, so that float sums are exact in any order.
float toyEmbedding(uint32_t token, uint32_t i) { return float(int((token * 31 + i * 17) % 13) - 6); }
float toyBias(uint32_t layer, uint32_t i) { return float(int(layer + i) % 5 - 2); }

static std::string embeddingBytes() {
  std::vector<float> values;
  for (uint32_t token = 0; token < kToyVocabulary; ++token)
    for (uint32_t i = 0; i < kToyHidden; ++i)
      values.push_back(toyEmbedding(token, i));
  return {reinterpret_cast<const char *>(values.data()), values.size() * sizeof(float)};
}

/// One slice per layer, each on a 64-byte boundary.
static std::string biasBytes() {
  std::string bytes;
  for (uint32_t layer = 0; layer < kToyLayers; ++layer) {
    bytes.resize(layer * 64);
    for (uint32_t i = 0; i < kToyHidden; ++i) {
      float value = toyBias(layer, i);
      bytes.append(reinterpret_cast<const char *>(&value), sizeof(value));
    }
  }
  return bytes;
}

static std::string hashOf(std::string_view bytes) {
  return runtime::hashHex(std::as_bytes(std::span(bytes)));
}

static std::string hostTarget() {
#if defined(__aarch64__)
  return "cpu:aarch64";
#else
  return "cpu:x86-64-v3";
#endif
}

enum ToyKernel : uint32_t { kEmbedding, kAdd, kCacheWrite, kCacheRead, kLogits, kSample };
enum ToyFile : uint32_t { kCodeFile, kEmbeddingFile, kBiasFile };
enum ToyWeight : uint32_t { kEmbeddingWeight, kBiasWeight };

static std::unique_ptr<StepT> launch(ToyKernel kernel, std::vector<Extent> grid,
                                     std::vector<Argument> arguments) {
  LaunchT launch;
  launch.kernel = kernel;
  launch.grid = std::move(grid);
  launch.arguments = std::move(arguments);
  auto step = std::make_unique<StepT>();
  step->kind.Set(std::move(launch));
  return step;
}

static std::unique_ptr<StepT> call(uint32_t block, uint32_t layer) {
  CallT call;
  call.block = block;
  call.layer = layer;
  auto step = std::make_unique<StepT>();
  step->kind.Set(std::move(call));
  return step;
}

static Argument input(StepInput which) { return {ArgumentKind::input, int64_t(which)}; }
static Argument output(StepOutput which) { return {ArgumentKind::output, int64_t(which)}; }
static const Argument kX{ArgumentKind::arena, 0}, kCache{ArgumentKind::cache, 0};
static const Extent kPerToken{DimSymbol::tokens, 1, 1}, kPerRow{DimSymbol::logit_rows, 1, 1};

static std::unique_ptr<BlockT> toyBlock() {
  auto block = std::make_unique<BlockT>();
  block->name = "layer";
  auto &steps = block->steps;
  steps.push_back(launch(kAdd, {kPerToken}, {{ArgumentKind::weight, kBiasWeight}, kX}));
  steps.push_back(launch(kCacheWrite, {kPerToken}, {kX, input(StepInput::cache_slots), kCache}));
  steps.push_back(launch(kCacheRead, {kPerToken},
                         {kCache, input(StepInput::positions), input(StepInput::token_sequences),
                          input(StepInput::block_tables), kX}));
  return block;
}

static std::unique_ptr<EntryT> toyEntry(EntryKind kind, int64_t tokens, int64_t sequences) {
  auto entry = std::make_unique<EntryT>();
  entry->name = fmt::format("{}_{}", EnumNameEntryKind(kind), tokens);
  entry->kind = kind;
  entry->capacity = std::make_unique<CapacityT>();
  entry->capacity->max_tokens = tokens;
  entry->capacity->max_sequences = sequences;
  entry->capacity->max_logit_rows = sequences;
  entry->capacity->max_table_blocks = (kToyContext + 63) / 64;
  entry->capacity->max_bias_entries = 16;
  entry->capacity->max_penalty_entries = 32;
  entry->arena_bytes = uint64_t(tokens) * kToyHidden * sizeof(float);
  Argument embedding{ArgumentKind::weight, kEmbeddingWeight};
  auto &steps = entry->steps;
  steps.push_back(launch(kEmbedding, {kPerToken}, {embedding, input(StepInput::token_ids), kX}));
  for (uint32_t layer = 0; layer < kToyLayers; ++layer)
    steps.push_back(call(0, layer));
  steps.push_back(launch(kLogits, {kPerRow, {DimSymbol::one, kToyVocabulary, 1}},
                         {kX, embedding, input(StepInput::logit_rows), output(StepOutput::logits)}));
  steps.push_back(
      launch(kSample, {kPerRow},
             {output(StepOutput::logits), output(StepOutput::sampled_tokens), output(StepOutput::finite)}));
  return entry;
}

static std::unique_ptr<KernelT> toyKernel(const char *name, CostTerm bytes, CostTerm flops) {
  auto kernel = std::make_unique<KernelT>();
  kernel->name = name;
  kernel->implementation = "generated";
  kernel->bytes.push_back(bytes);
  kernel->flops.push_back(flops);
  return kernel;
}

static std::unique_ptr<WeightT> toyWeight(const char *name, std::vector<int64_t> shape, uint32_t file,
                                          uint64_t sliceBytes, uint32_t numSlices) {
  auto weight = std::make_unique<WeightT>();
  weight->name = name;
  weight->source = "model." + weight->name;
  weight->type = DataType::f32;
  weight->shape = std::move(shape);
  weight->layout = "row_major";
  for (uint32_t i = 0; i < numSlices; ++i)
    weight->slices.emplace_back(file, i * 64, sliceBytes);
  return weight;
}

static std::unique_ptr<RankT> toyRank() {
  auto rank = std::make_unique<RankT>();
  rank->target = hostTarget();
  rank->code = {kCodeFile};
  constexpr int64_t kRow = kToyHidden * 4;
  CostTerm perToken{DimSymbol::tokens, 1, 0, 2 * kRow}, perContext{DimSymbol::context_tokens, 1, 0, kRow};
  CostTerm table{DimSymbol::one, 1, 0, kRow * kToyVocabulary}, none{DimSymbol::one, 0, 0, 0};
  CostTerm addFlops{DimSymbol::tokens, 1, 0, kToyHidden};
  CostTerm readFlops{DimSymbol::context_tokens, 1, 0, kToyHidden};
  CostTerm logitFlops{DimSymbol::logit_rows, 1, 0, 2 * kToyHidden * kToyVocabulary};
  rank->kernels.push_back(toyKernel("toy_embedding", perToken, none));
  rank->kernels.push_back(toyKernel("toy_add", perToken, addFlops));
  rank->kernels.push_back(toyKernel("toy_cache_write", perToken, none));
  rank->kernels.push_back(toyKernel("toy_cache_read", perContext, readFlops));
  rank->kernels.push_back(toyKernel("toy_logits", table, logitFlops));
  rank->kernels.push_back(toyKernel("toy_sample", {DimSymbol::logit_rows, 1, 0, kToyVocabulary * 4}, none));
  uint64_t embeddingSize = uint64_t(kToyVocabulary) * kRow;
  rank->weights.push_back(
      toyWeight("embedding", {kToyVocabulary, kToyHidden}, kEmbeddingFile, embeddingSize, 1));
  rank->weights.push_back(toyWeight("bias", {kToyHidden}, kBiasFile, kRow, kToyLayers));
  rank->caches.push_back(std::make_unique<CacheT>());
  CacheT &cache = *rank->caches.back();
  cache.name = "latent";
  cache.type = DataType::f32;
  cache.block_tokens = 64;
  cache.values = kToyHidden;
  cache.layers = kToyLayers;
  rank->blocks.push_back(toyBlock());
  rank->entries.push_back(toyEntry(EntryKind::decode, 1, 1));
  rank->entries.push_back(toyEntry(EntryKind::decode, 4, 4));
  rank->entries.push_back(toyEntry(EntryKind::mixed, 16, 8));
  rank->entries.push_back(toyEntry(EntryKind::mixed, 64, 8));
  return rank;
}

PlanT toyPlan() {
  PlanT plan;
  plan.format_version = 1;
  plan.compiler_version = "toy";
  plan.model = std::make_unique<ModelT>();
  plan.model->name = "toy";
  plan.model->vocabulary = kToyVocabulary;
  plan.model->hidden = kToyHidden;
  plan.model->layers = kToyLayers;
  plan.model->context_length = kToyContext;
  plan.model->numerics = "f32";
  plan.ranks.push_back(toyRank());
  return plan;
}

void writeManifest(const std::filesystem::path &directory, std::string_view planBytes,
                   uint32_t formatVersion) {
  std::string tokenizer = readFile(directory / "tokenizer.json");
  writeFile(
      directory / "manifest.json",
      fmt::format(R"({{"format_version": {}, "compiler_version": "toy", "plan_hash": "{}", "plan_bytes": {},
  "files": {{"tokenizer.json": "{}"}}, "source": "none", "mesh": [1], "targets": ["{}"], "numerics": "f32"}}
)",
                  formatVersion, hashOf(planBytes), planBytes.size(), hashOf(tokenizer), hostTarget()));
}

void writePlan(const std::filesystem::path &directory, const PlanT &plan) {
  flatbuffers::FlatBufferBuilder builder;
  FinishPlanBuffer(builder, Plan::Pack(builder, &plan));
  std::string_view bytes(reinterpret_cast<const char *>(builder.GetBufferPointer()), builder.GetSize());
  writeFile(directory / "plan.fb", bytes);
  writeManifest(directory, bytes);
}

/// The same plan for a GPU: what the schema says of a launch there.
static void retarget(PlanT &plan) {
  plan.ranks[0]->target = "cuda:sm_90a";
  for (auto &kernel : plan.ranks[0]->kernels)
    kernel->threads = 32;
}

static std::filesystem::path writeToy(const std::filesystem::path &parent, bool isCuda,
                                      const std::function<void(PlanT &)> &edit) {
  auto directory = parent / "toy.kimi";
  PlanT plan = toyPlan();
  auto addFile = [&](const char *path, const std::string &bytes) {
    writeFile(directory / path, bytes);
    plan.files.push_back(std::make_unique<FileT>());
    plan.files.back()->path = path;
    plan.files.back()->bytes = bytes.size();
    plan.files.back()->hash = hashOf(bytes);
  };
  if (isCuda) {
    retarget(plan);
    addFile("code/rank0.cubin", readFile(KIMI_TOY_CUDA_KERNELS));
  } else {
    addFile("code/rank0.so", readFile(KIMI_TOY_KERNELS));
  }
  addFile("weights/embedding", embeddingBytes());
  addFile("weights/bias", biasBytes());
  writeFile(directory / "tokenizer.json", "{}");
  if (edit)
    edit(plan);
  writePlan(directory, plan);
  return directory;
}

std::filesystem::path writeToyArtifact(const std::filesystem::path &parent,
                                       const std::function<void(PlanT &)> &edit) {
  return writeToy(parent, /*isCuda=*/false, edit);
}

std::filesystem::path writeToyCudaArtifact(const std::filesystem::path &parent,
                                           const std::function<void(PlanT &)> &edit) {
  return writeToy(parent, /*isCuda=*/true, edit);
}

} // namespace kimi::test
