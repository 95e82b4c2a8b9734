// Writes the plans that the target Plan begins from: the toy artifact's, for a CPU and for a GPU, also with a
// library's product, one that says what the toy leaves out, and findings.
// Usage: write_plan_seeds FOLDER
#include "tests/runtime/ToyProduct.h"

#include <cstdio>
#include <cstring>

using namespace kimi;
using namespace kimi::artifact;

/// A GPU reads the embedding's table by tensor map.
static void addTensorMap(PlanT &plan) {
  KernelT &kernel = *plan.ranks[0]->kernels[0];
  kernel.parameters = "token_tile = 16";
  kernel.shared_bytes = 49152;
  kernel.programmatic = true;
  auto map = std::make_unique<TensorMapT>();
  map->type = DataType::f32;
  map->shape = {{DimSymbol::one, test::kToyHidden, 1}, {DimSymbol::one, test::kToyVocabulary, 1}};
  map->strides = {test::kToyHidden * 4};
  map->box = {test::kToyHidden, 16};
  map->swizzle = Swizzle::bytes_32;
  kernel.tensor_maps.push_back(std::move(map));
}

/// A weight in a checkpoint's own file, for the second layer only; a cost with a cap.
static void addWhatTheToyLeavesOut(PlanT &plan) {
  RankT &rank = *plan.ranks[0];
  rank.kernels[1]->bytes.emplace_back(DimSymbol::tokens, 8, 384, 256);
  const auto fileIndex = uint32_t(plan.files.size());
  plan.files.push_back(std::make_unique<FileT>(*plan.files[1]));
  plan.files.back()->path = "weights/reference";
  plan.files.back()->is_reference = true;
  auto weight = std::make_unique<WeightT>(*rank.weights[1]);
  weight->name = "scales";
  weight->type = DataType::bf16;
  weight->shape = {3, 5};
  weight->first_layer = 1;
  weight->slices = {{fileIndex, 2, 30}};
  rank.weights.push_back(std::move(weight));
}

/// Found by fuzzing: the name went into the message as it was.
static void addLongName(PlanT &plan) {
  plan.ranks[0]->weights[0]->name = std::string(600, '\n');
  plan.ranks[0]->weights[0]->shape = {-1};
}

/// Found by fuzzing: the message named the path, but not that it is a file's.
static void addHugeFile(PlanT &plan) { plan.files.back()->bytes = uint64_t(1) << 60; }

/// Found by fuzzing: the arguments of the first launch, read four bytes too late, lie at no multiple of eight.
static void misalignArguments(std::string &bytes) {
  const Plan &plan = *GetPlan(bytes.data());
  const Launch &launch = *plan.ranks()->Get(0)->entries()->Get(0)->steps()->Get(0)->kind_as_Launch();
  const auto *field = reinterpret_cast<const flatbuffers::Table &>(launch).GetAddressOf(Launch::VT_ARGUMENTS);
  const size_t at = reinterpret_cast<const char *>(field) - bytes.data();
  flatbuffers::uoffset_t offset = 0;
  std::memcpy(&offset, bytes.data() + at, sizeof offset);
  offset += 4;
  std::memcpy(bytes.data() + at, &offset, sizeof offset);
}

int main(int argc, char **argv) {
  if (argc != 2)
    return std::fprintf(stderr, "usage: write_plan_seeds FOLDER\n"), 1;
  constexpr std::string_view kMisaligned = "misaligned.fb";
  const auto write = [&](std::string_view name, const std::function<void(PlanT &)> &edit,
                         decltype(test::writeToyArtifact) &writeToy = test::writeToyArtifact) {
    const test::ScratchDirectory scratch;
    const auto artifact = writeToy(scratch.path(), edit);
    std::string bytes = test::readFile(artifact / "plan.fb");
    if (name == kMisaligned)
      misalignArguments(bytes);
    test::writeFile(std::filesystem::path(argv[1]) / name, bytes);
  };
  write("toy.fb", {});
  write("full.fb", addWhatTheToyLeavesOut);
  write("gpu.fb", addTensorMap, test::writeToyCudaArtifact);
  write("library.fb", test::useProduct, test::writeToyCudaArtifact);
  write("long-name.fb", addLongName);
  write("huge-file.fb", addHugeFile);
  write(kMisaligned, {});
}
