#include "runtime/engine/LaunchCheck.h"

#include "runtime/engine/CacheSize.h"
#include "runtime/engine/PlanCheck.h"
#include "runtime/engine/PlanWalk.h"
#include "runtime/engine/RangeCheck.h"
#include "runtime/engine/StepLayout.h"

#include <algorithm>
#include <fmt/format.h>
#include <vector>

namespace kimi::runtime {

using namespace kimi::artifact;

// Limits of CUDA on every architecture since sm_80 (of clusters and tensor maps, sm_90).
static constexpr int64_t kMaxThreads = 1024, kMaxCluster = 8, kMaxSharedBytes = 1 << 20;
static constexpr int64_t kMaxMapRank = 5, kMaxBox = 256, kMapAlignment = 16;
// Sizes of a library's matrices are ints somewhere in it; alignments are what it is told (cuda/MatrixProduct.cpp).
static constexpr int64_t kMaxProductExtent = (int64_t(1) << 31) - 1, kOperandAlignment = 64, kWorkspaceAlignment = 256;
static constexpr int64_t kMaxMapExtent = int64_t(1) << 32, kMaxMapStride = int64_t(1) << 40;

/// Bytes that a swizzle works in; 0 = none.
static int64_t swizzleSpan(Swizzle swizzle) {
  static constexpr int64_t kSpans[] = {0, 32, 64, 128};
  return kSpans[size_t(swizzle)];
}

static Status checkMap(const std::string &name, const TensorMap &map) {
  TRY(checkIndex(name + "'s data type", uint64_t(map.type()), uint64_t(DataType::MAX) + 1));
  TRY(checkIndex(name + "'s swizzle", uint64_t(map.swizzle()), uint64_t(Swizzle::MAX) + 1));
  int64_t rank = sizeOf(map.shape());
  TRY(checkRange(name + "'s rank", rank, 1, kMaxMapRank));
  TRY(checkRange(name + "'s number of strides", sizeOf(map.strides()), rank - 1, rank - 1));
  TRY(checkRange(name + "'s rank of the box", sizeOf(map.box()), rank, rank));
  TRY(checkAligned(name + "'s extents", map.shape()));
  TRY(checkAligned(name + "'s strides", map.strides()));
  for (const Extent *extent : *map.shape()) {
    TRY(checkExtent(name + "'s", *extent));
    if (extent->symbol() == DimSymbol::cache_blocks) // so that a map grows with its cache evenly
      TRY(checkRange(name + "'s divisor of cache_blocks", extent->divisor(), 1, 1));
  }
  for (uint32_t i = 0; i < sizeOf(map.strides()); ++i) {
    uint64_t stride = map.strides()->Get(i);
    if (stride % uint64_t(kMapAlignment) != 0)
      return failure(
          fmt::format("{}'s stride is {}, expected a multiple of {}", name, stride, kMapAlignment));
    TRY(checkRange(name + "'s stride", int64_t(std::min<uint64_t>(stride, INT64_MAX)), kMapAlignment,
                   kMaxMapStride - 1));
  }
  for (uint32_t elements : *map.box())
    TRY(checkRange(name + "'s box", elements, 1, kMaxBox));
  int64_t innerBytes = map.box()->Get(0) * elementBytes(map.type());
  if (innerBytes % kMapAlignment != 0)
    return failure(
        fmt::format("{}'s box is {} bytes wide, expected a multiple of {}", name, innerBytes, kMapAlignment));
  if (int64_t span = swizzleSpan(map.swizzle()); span > 0 && innerBytes > span)
    return failure(
        fmt::format("{}'s box is {} bytes wide, but its swizzle works in {}", name, innerBytes, span));
  return {};
}

Status checkCudaKernel(const Kernel &kernel) {
  auto name = fmt::format("kernel {}", nameOf(kernel.name()));
  TRY(checkRange(name + "'s threads", kernel.threads(), 1, kMaxThreads));
  TRY(checkRange(name + "'s shared bytes", kernel.shared_bytes(), 0, kMaxSharedBytes));
  TRY(checkRange(name + "'s cluster", kernel.cluster(), 1, kMaxCluster));
  for (uint32_t i = 0; i < sizeOf(kernel.tensor_maps()); ++i)
    TRY(checkMap(fmt::format("{}: tensor map {}", name, i), *kernel.tensor_maps()->Get(i)));
  return {};
}

Status checkProduct(const Kernel &kernel) {
  const MatrixProduct &product = *kernel.product();
  auto name = fmt::format("kernel {}: its product", nameOf(kernel.name()));
  if (kernel.implementation()->string_view() != "cublaslt")
    return failure(fmt::format("{} is of the library {}, but this runtime knows cublaslt", name,
                               nameOf(kernel.implementation())));
  auto is = [](DataType type, std::initializer_list<DataType> known) { return std::ranges::find(known, type) != known.end(); };
  if (!is(product.activation_type(), {DataType::bf16}) || !is(product.weight_type(), {DataType::bf16}) ||
      !is(product.result_type(), {DataType::bf16, DataType::f32}))
    return failure(fmt::format("{} is of data types {} and {} to {}, expected {} and {} to {} or {}", name,
                               int(product.activation_type()), int(product.weight_type()), int(product.result_type()),
                               int(DataType::bf16), int(DataType::bf16), int(DataType::f32), int(DataType::bf16)));
  TRY(checkRange(name + "'s columns", product.columns(), 1, kMaxProductExtent));
  TRY(checkRange(name + "'s depth", product.depth(), 1, kMaxProductExtent));
  return checkRange(name + "'s workspace", int64_t(std::min<uint64_t>(product.workspace_bytes(), INT64_MAX)), 0,
                    kMaxArenaBytes);
}

namespace {

/// The launch that is being checked.
struct CheckedLaunch {
  const Plan &plan;
  const Rank &rank;
  const Entry &entry;
  const Launch &launch;
  uint32_t layer;
  const Dims &dims;

  /// Bytes from the argument's first on that are its own: up to the arena's end, of a slice, of a layer of a
  /// cache.
  uint64_t bytesBehind(const Argument &argument) const {
    uint32_t value = uint32_t(argument.value());
    Limits sizes = limitsOf(*entry.capacity());
    uint32_t vocabulary = plan.model()->vocabulary();
    switch (argument.kind()) {
    case ArgumentKind::arena:
      return entry.arena_bytes() - uint64_t(argument.value());
    case ArgumentKind::weight: {
      const Weight &weight = *rank.weights()->Get(value);
      return weight.slices()->Get(layer - weight.first_layer())->bytes();
    }
    case ArgumentKind::cache:
      return layerBlockBytes(*rank.caches()->Get(value)) * uint64_t(dims[size_t(DimSymbol::cache_blocks)]);
    case ArgumentKind::input:
      return uint64_t(numElements(StepInput(value), sizes, vocabulary)) * 4;
    case ArgumentKind::output:
      return uint64_t(numElements(StepOutput(value), sizes, vocabulary)) * 4;
    }
    return 0; // checkPlan refuses other kinds
  }

  Status checkMapOverArgument(const std::string &name, const TensorMap &map) const {
    TRY(checkIndex(name + "'s argument", map.argument(), sizeOf(launch.arguments())));
    const Argument &argument = *launch.arguments()->Get(map.argument());
    if (argument.kind() == ArgumentKind::arena && argument.value() % kMapAlignment != 0)
      return failure(
          fmt::format("{}: arena offset {} is not a multiple of {}", name, argument.value(), kMapAlignment));
    __int128 spanned = 0;
    for (uint32_t i = 0; i < sizeOf(map.shape()); ++i) {
      int64_t extent = extentSize(*map.shape()->Get(i), dims);
      TRY(checkRange(name + "'s extent", extent, 1, kMaxMapExtent));
      spanned += i == 0 ? __int128(extent) * elementBytes(map.type())
                        : __int128(extent - 1) * map.strides()->Get(i - 1);
    }
    uint64_t bytes = bytesBehind(argument);
    if (spanned > __int128(bytes))
      return failure(fmt::format("{}: spans {} bytes of an argument of {}", name,
                                 uint64_t(std::min<__int128>(spanned, INT64_MAX)), bytes));
    return {};
  }

  /// A matrix of that many elements, on `alignment` bytes where it lies in the arena.
  Status checkMatrix(const char *name, uint32_t argument, __int128 elements, int64_t elementSize, int64_t alignment) const {
    TRY(checkIndex(fmt::format("the product's {}", name), argument, sizeOf(launch.arguments())));
    const Argument &given = *launch.arguments()->Get(argument);
    if (given.kind() == ArgumentKind::arena && given.value() % alignment != 0)
      return failure(fmt::format("the product's {}: arena offset {} is not a multiple of {}", name, given.value(), alignment));
    if (elements * elementSize <= __int128(bytesBehind(given)))
      return {};
    return failure(fmt::format("the product's {} takes {} bytes of an argument of {}", name,
                               uint64_t(std::min<__int128>(elements * elementSize, INT64_MAX)), bytesBehind(given)));
  }

  Status checkProductOver(const MatrixProduct &product) const {
    if (entry.kind() == EntryKind::decode)
      return failure("a product of a library stands in a decode entry, whose graph holds kernels only");
    if (sizeOf(launch.grid()) != 1)
      return failure(fmt::format("the grid has {} extents, but a product's is the number of its rows", sizeOf(launch.grid())));
    __int128 rows = extentSize(*launch.grid()->Get(0), dims);
    TRY(checkRange("the product's number of rows", int64_t(rows), 0, kMaxProductExtent));
    TRY(checkMatrix("activations", product.activations(), rows * product.depth(), elementBytes(product.activation_type()),
                    kOperandAlignment));
    TRY(checkMatrix("weight", product.weight(), __int128(product.columns()) * product.depth(),
                    elementBytes(product.weight_type()), kOperandAlignment));
    TRY(checkMatrix("result", product.result(), rows * product.columns(), elementBytes(product.result_type()),
                    kOperandAlignment));
    TRY(checkMatrix("workspace", product.workspace(), product.workspace_bytes(), 1, kWorkspaceAlignment));
    if (launch.arguments()->Get(product.workspace())->kind() != ArgumentKind::arena)
      return failure("the product's workspace is not in the arena");
    auto result = launch.arguments()->Get(product.result())->kind();
    return result == ArgumentKind::arena || result == ArgumentKind::output
               ? Status()
               : failure("the product's result is neither in the arena nor a step output");
  }
};

} // namespace

Status checkCudaLaunch(const Plan &plan, const Rank &rank, const Entry &entry, const Launch &launch,
                       uint32_t layer, const Dims &dims) {
  const Kernel &kernel = *rank.kernels()->Get(launch.kernel());
  if (kernel.product())
    return CheckedLaunch{plan, rank, entry, launch, layer, dims}.checkProductOver(*kernel.product());
  int64_t tasks = countTasks(gridOf(launch), dims);
  if (tasks % kernel.cluster() != 0)
    return failure(fmt::format("the grid has {} tasks at full capacity, which clusters of {} do not divide",
                               tasks, kernel.cluster()));
  // Bytes of a map and of its argument are linear in the blocks of the cache: what holds for the most of them
  // and for one holds between.
  Dims smallest = dims;
  dim(smallest, DimSymbol::cache_blocks) = 1;
  CheckedLaunch largestCache{plan, rank, entry, launch, layer, dims},
      smallestCache{plan, rank, entry, launch, layer, smallest};
  for (uint32_t i = 0; i < sizeOf(kernel.tensor_maps()); ++i) {
    auto name = fmt::format("tensor map {}", i);
    TRY(largestCache.checkMapOverArgument(name, *kernel.tensor_maps()->Get(i)));
    if (auto status = smallestCache.checkMapOverArgument(name, *kernel.tensor_maps()->Get(i)); !status)
      return failure("with 1 cache block", status.error());
  }
  return {};
}

} // namespace kimi::runtime
