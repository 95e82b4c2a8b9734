#include "runtime/engine/PlanCheck.h"

#include "runtime/cpu/ThreadPool.h"
#include "runtime/engine/Dims.h"
#include "runtime/engine/LaunchCheck.h"
#include "runtime/engine/Manifest.h"
#include "runtime/engine/RangeCheck.h"
#include "runtime/engine/StepLayout.h"
#include "runtime/kimi.h"
#include "runtime/schema/FormatVersion.h"

#include <algorithm>
#include <fmt/format.h>
#include <string_view>

namespace kimi::runtime {

using namespace kimi::artifact;

Expected<const Plan *> parsePlan(std::span<const std::byte> bytes) {
  // FlatBuffers end at 2^31 - 1 bytes, and the smallest holds an offset and an identifier.
  if (bytes.size() < 8 || bytes.size() >= FLATBUFFERS_MAX_BUFFER_SIZE)
    return failure(fmt::format("{} bytes cannot be a plan", bytes.size()));
  auto *data = reinterpret_cast<const uint8_t *>(bytes.data());
  if (!PlanBufferHasIdentifier(data))
    return failure(fmt::format("not a plan: the identifier is not \"{}\"", PlanIdentifier()));
  flatbuffers::Verifier verifier(data, bytes.size(), /*max_depth=*/16, /*max_tables=*/1 << 22);
  if (!VerifyPlanBuffer(verifier))
    return failure("damaged: its FlatBuffer structure points outside the file");
  const Plan *plan = GetPlan(data);
  if (plan->format_version() != kFormatVersion)
    return failure(
        fmt::format("artifact format version {}, but this runtime reads version {}: compile it again",
                    plan->format_version(), kFormatVersion));
  return plan;
}

int64_t elementBytes(DataType type) {
  static constexpr int64_t kBytes[] = {1, 1, 4, 4, 8, 2, 2, 4, 1};
  return kBytes[size_t(type)];
}

namespace {

/// One rank against the plan it stands in.
class RankChecker {
public:
  RankChecker(const Plan &plan, const Rank &rank)
      : plan(plan), rank(rank), isCuda(isCudaTarget(rank.target()->string_view())) {}

  Status check() {
    for (uint32_t i = 0; i < sizeOf(rank.code()); ++i)
      TRY(checkIndex("a code file's index", rank.code()->Get(i), sizeOf(plan.files())));
    for (uint32_t i = 0; i < sizeOf(rank.kernels()); ++i)
      TRY(checkKernel(*rank.kernels()->Get(i)));
    for (uint32_t i = 0; i < sizeOf(rank.weights()); ++i)
      TRY(checkWeight(*rank.weights()->Get(i)));
    for (uint32_t i = 0; i < sizeOf(rank.caches()); ++i)
      TRY(checkCache(*rank.caches()->Get(i)));
    if (sizeOf(rank.entries()) == 0)
      return failure("the plan has no entry");
    for (uint32_t i = 0; i < sizeOf(rank.entries()); ++i) {
      const Entry &entry = *rank.entries()->Get(i);
      if (auto status = checkEntry(entry); !status)
        return failure(fmt::format("entry {}", nameOf(entry.name())), status.error());
    }
    return {};
  }

private:
  const Plan &plan;
  const Rank &rank;
  const bool isCuda;
  const Entry *entry = nullptr; // being checked
  Dims dims{};                  // its full step
  uint64_t numLaunches = 0;     // of it, with blocks expanded

  Status checkCosts(const Kernel &kernel, const CostTerms *terms) {
    TRY(checkAligned(fmt::format("kernel {}: costs", nameOf(kernel.name())), terms));
    if (terms)
      for (const CostTerm *term : *terms)
        TRY(checkSymbol(fmt::format("kernel {}: a cost", nameOf(kernel.name())), term->symbol()));
    return {};
  }

  Status checkKernel(const Kernel &kernel) {
    TRY(checkCosts(kernel, kernel.bytes()));
    TRY(checkCosts(kernel, kernel.flops()));
    if (kernel.product() && !isCuda)
      return failure(fmt::format("kernel {} is a product of the library {}, which is for GPUs, but the target is {}",
                                 nameOf(kernel.name()), nameOf(kernel.implementation()), nameOf(rank.target())));
    if (kernel.product())
      return checkProduct(kernel);
    TRY(checkIndex(fmt::format("kernel {}'s code", nameOf(kernel.name())), kernel.code(),
                   sizeOf(rank.code())));
    return isCuda ? checkCudaKernel(kernel) : Status();
  }

  Status checkWeight(const Weight &weight) {
    auto name = fmt::format("weight {}", nameOf(weight.name()));
    TRY(checkIndex(name + "'s data type", uint64_t(weight.type()), uint64_t(DataType::MAX) + 1));
    TRY(checkRange(name + "'s first layer", weight.first_layer(), 0, plan.model()->layers()));
    TRY(checkAligned(name + "'s extents", weight.shape()));
    __int128 shapeBytes = elementBytes(weight.type());
    for (uint32_t i = 0; i < sizeOf(weight.shape()); ++i) {
      TRY(checkRange(name + "'s extent", weight.shape()->Get(i), 0, int64_t(1) << 40));
      shapeBytes *= weight.shape()->Get(i);
      TRY(checkRange(name + "'s size", int64_t(std::min<__int128>(shapeBytes, INT64_MAX)), 0,
                     int64_t(1) << 50));
    }
    TRY(checkAligned(name + "'s slices", weight.slices()));
    for (uint32_t i = 0; i < sizeOf(weight.slices()); ++i) {
      const WeightSlice &slice = *weight.slices()->Get(i);
      TRY(checkIndex(name + "'s file", slice.file(), sizeOf(plan.files())));
      const File &file = *plan.files()->Get(slice.file());
      // A checkpoint aligns its tensors as it likes; what is packed lies as vectors like it.
      uint64_t alignment = file.is_reference() ? uint64_t(elementBytes(weight.type())) : 64;
      if (slice.offset() % alignment != 0)
        return failure(fmt::format("{}: offset {} is not a multiple of {}", name, slice.offset(), alignment));
      if (slice.offset() > file.bytes() || slice.bytes() > file.bytes() - slice.offset())
        return failure(fmt::format("{}: {} bytes at {} do not fit in {} of {} bytes", name, slice.bytes(),
                                   slice.offset(), nameOf(file.path()), file.bytes()));
      if (slice.bytes() < uint64_t(shapeBytes))
        return failure(fmt::format("{}: a slice has {} bytes, but its shape needs {}", name, slice.bytes(),
                                   uint64_t(shapeBytes)));
    }
    return {};
  }

  Status checkCache(const Cache &cache) {
    auto name = fmt::format("cache {}", nameOf(cache.name()));
    TRY(checkIndex(name + "'s data type", uint64_t(cache.type()), uint64_t(DataType::MAX) + 1));
    TRY(checkRange(name + "'s block tokens", cache.block_tokens(), kBlockTokens, kBlockTokens));
    TRY(checkRange(name + "'s values", cache.values(), 1, 1 << 20));
    return checkRange(name + "'s layers", cache.layers(), 1, 1 << 16);
  }

  Status checkCapacity(const Capacity &capacity) {
    TRY(checkRange("max_tokens", capacity.max_tokens(), 1, 1 << 24));
    TRY(checkRange("max_sequences", capacity.max_sequences(), 1, 1 << 20));
    TRY(checkRange("max_logit_rows", capacity.max_logit_rows(), 0, 1 << 20));
    TRY(checkRange("max_bias_entries", capacity.max_bias_entries(), 0, 1 << 28));
    TRY(checkRange("max_penalty_entries", capacity.max_penalty_entries(), 0, 1 << 28));
    // The block table's row stride is the same in every entry: the caller fills it before an entry is chosen.
    int64_t blocks = (int64_t(plan.model()->context_length()) + kBlockTokens - 1) / kBlockTokens;
    return checkRange("max_table_blocks", capacity.max_table_blocks(), blocks, blocks);
  }

  Status checkEntry(const Entry &checkedEntry) {
    entry = &checkedEntry;
    numLaunches = 0;
    TRY(checkIndex("the kind", uint64_t(entry->kind()), uint64_t(EntryKind::MAX) + 1));
    TRY(checkCapacity(*entry->capacity()));
    if (entry->arena_bytes() > uint64_t(kMaxArenaBytes))
      return failure(fmt::format("arena_bytes is {}, the limit is {}", entry->arena_bytes(), kMaxArenaBytes));
    dims = dimsAtCapacity(*entry->capacity(), kMaxCacheBlocks, 0);
    for (uint32_t i = 0; i < sizeOf(entry->steps()); ++i)
      TRY(checkStep(*entry->steps()->Get(i)));
    return {};
  }

  Status checkStep(const Step &step) {
    switch (step.kind_type()) {
    case StepKind::Launch:
      return checkLaunch(*step.kind_as_Launch(), 0);
    case StepKind::Call:
      return checkCall(*step.kind_as_Call());
    default:
      return failure(fmt::format("a step of unknown kind {}", int(step.kind_type())));
    }
  }

  Status checkCall(const Call &call) {
    TRY(checkIndex("a called block", call.block(), sizeOf(rank.blocks())));
    TRY(checkIndex("a call's layer", call.layer(), plan.model()->layers()));
    const Block &block = *rank.blocks()->Get(call.block());
    for (uint32_t i = 0; i < sizeOf(block.steps()); ++i) {
      const Step &step = *block.steps()->Get(i);
      if (step.kind_type() != StepKind::Launch)
        return failure(fmt::format("block {} holds a step of kind {}: only launches may stand in a block",
                                   nameOf(block.name()), int(step.kind_type())));
      if (auto status = checkLaunch(*step.kind_as_Launch(), call.layer()); !status)
        return failure(fmt::format("block {}", nameOf(block.name())), status.error());
    }
    return {};
  }

  Status checkLaunch(const Launch &launch, uint32_t layer) {
    // Calls multiply: a small file could ask for billions of launches.
    TRY(checkRange("the number of launches", int64_t(++numLaunches), 0, 1 << 22));
    TRY(checkIndex("a launch's kernel", launch.kernel(), sizeOf(rank.kernels())));
    auto name = fmt::format("launch of {}", nameOf(rank.kernels()->Get(launch.kernel())->name()));
    TRY(checkAligned(name + "'s extents", launch.grid()));
    TRY(checkGrid(name, launch));
    TRY(checkAligned(name + "'s arguments", launch.arguments()));
    for (uint32_t i = 0; i < sizeOf(launch.arguments()); ++i)
      if (auto status = checkArgument(*launch.arguments()->Get(i), layer); !status)
        return failure(fmt::format("{}: argument {}", name, i), status.error());
    if (isCuda)
      if (auto status = checkCudaLaunch(plan, rank, *entry, launch, layer, dims); !status)
        return failure(name, status.error());
    return {};
  }

  Status checkGrid(const std::string &name, const Launch &launch) {
    __int128 tasks = 1;
    for (uint32_t i = 0; i < sizeOf(launch.grid()); ++i) {
      const Extent &extent = *launch.grid()->Get(i);
      TRY(checkExtent(name + ": a grid", extent));
      tasks *= extentSize(extent, dims);
      if (tasks > ThreadPool::kMaxTasks)
        return failure(fmt::format("{}: the grid has more than {} tasks", name, ThreadPool::kMaxTasks));
    }
    return {};
  }

  Status checkArgument(const Argument &argument, uint32_t layer) {
    uint64_t value = uint64_t(argument.value()); // a negative value fails every bound below
    switch (argument.kind()) {
    case ArgumentKind::arena:
      if (value < entry->arena_bytes())
        return {};
      return failure(fmt::format("arena offset {} is outside the arena of {} bytes", argument.value(),
                                 entry->arena_bytes()));
    case ArgumentKind::input:
      return checkIndex("the step input", value, kNumStepInputs);
    case ArgumentKind::output:
      return checkIndex("the step output", value, kNumStepOutputs);
    case ArgumentKind::weight: {
      TRY(checkIndex("the weight", value, sizeOf(rank.weights())));
      const Weight &weight = *rank.weights()->Get(uint32_t(value));
      uint64_t first = weight.first_layer(), count = sizeOf(weight.slices());
      if (layer >= first && layer - first < count)
        return {};
      return failure(fmt::format("weight {} has {} slices from layer {} on, none for layer {}",
                                 nameOf(weight.name()), count, first, layer));
    }
    case ArgumentKind::cache:
      TRY(checkIndex("the cache", value, sizeOf(rank.caches())));
      return checkIndex("the cache's layer", layer, rank.caches()->Get(uint32_t(value))->layers());
    }
    return failure(fmt::format("unknown kind {}", int(argument.kind())));
  }
};

} // namespace

static Status checkFile(const File &file) {
  TRY(checkRelativePath(file.path()->str()));
  // Not only what lies on a disk has a size: sums of shapes' must not overflow.
  TRY(checkRange(fmt::format("file {}'s size", nameOf(file.path())),
                 int64_t(std::min<uint64_t>(file.bytes(), INT64_MAX)), 0, int64_t(1) << 50));
  return checkHashText(file.path()->str(), file.hash()->str());
}

Status checkPlan(const Plan &plan) {
  const Model &model = *plan.model();
  TRY(checkRange("the vocabulary", model.vocabulary(), 1, 1 << 24));
  TRY(checkRange("the context length", model.context_length(), 1, 1 << 30));
  TRY(checkRange("the number of layers", model.layers(), 0, 1 << 16));
  for (uint32_t i = 0; i < sizeOf(plan.files()); ++i)
    TRY(checkFile(*plan.files()->Get(i)));
  if (sizeOf(plan.ranks()) != 1)
    return failure(fmt::format("the plan has {} ranks; this runtime runs 1", sizeOf(plan.ranks())));
  return RankChecker(plan, *plan.ranks()->Get(0)).check();
}

} // namespace kimi::runtime
