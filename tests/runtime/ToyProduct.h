// The toy for a GPU, whose mixed entries add their biases by a library's product:
//   activate (1, 0, 0, ..) ▶ product [rows, hidden] = activations [rows, 64] * weight [hidden, 64] ▶ accumulate into x
// Decode entries keep the toy's own layer.
#pragma once

#include "runtime/base/Hash.h"
#include "tests/runtime/ToyArtifact.h"

namespace kimi::test {

inline constexpr int64_t kProductDepth = 64, kProductWorkspace = 1024;
inline constexpr uint32_t kActivateKernel = 6, kProductKernel = 7, kAccumulateKernel = 8;
// In the arena, behind the largest x.
inline constexpr int64_t kProductActivations = 64 * kToyHidden * 4,
                         kProductSums = kProductActivations + 64 * kProductDepth * 2,
                         kProductScratch = kProductSums + 64 * kToyHidden * 4;
static_assert(kProductScratch % 256 == 0);

/// weight[layer][n] = toyBias(layer, n), 1, 1, ... in bf16: what is multiplied by 0 shows if it is not.
inline std::string productWeightBytes() {
  std::string bytes;
  for (uint32_t layer = 0; layer < kToyLayers; ++layer)
    for (uint32_t n = 0; n < kToyHidden; ++n)
      for (int64_t k = 0; k < kProductDepth; ++k) {
        static constexpr uint16_t kValues[] = {0xc000, 0xbf80, 0, 0x3f80, 0x4000}; // -2 .. 2
        uint16_t value = kValues[k == 0 ? int(toyBias(layer, n)) + 2 : 3];
        bytes.append(reinterpret_cast<const char *>(&value), sizeof value);
      }
  return bytes;
}

inline std::unique_ptr<artifact::StepT> productStep(uint32_t kernel, std::vector<artifact::Argument> arguments) {
  artifact::LaunchT launch;
  launch.kernel = kernel;
  launch.grid = {{artifact::DimSymbol::tokens, 1, 1}};
  launch.arguments = std::move(arguments);
  auto step = std::make_unique<artifact::StepT>();
  step->kind.Set(std::move(launch));
  return step;
}

inline std::unique_ptr<artifact::KernelT> productKernel() {
  auto kernel = std::make_unique<artifact::KernelT>();
  kernel->name = "linear_8x64_over128";
  kernel->implementation = "cublaslt";
  kernel->parameters = "{workspace = 1024 : i64}";
  kernel->bytes.emplace_back(artifact::DimSymbol::tokens, 1, 0, kProductDepth * 2 + kToyHidden * 4);
  kernel->flops.emplace_back(artifact::DimSymbol::tokens, 1, 0, 2 * kToyHidden * kProductDepth);
  kernel->product = std::make_unique<artifact::MatrixProductT>();
  artifact::MatrixProductT &product = *kernel->product;
  product.activations = 0, product.weight = 1, product.result = 2, product.workspace = 3;
  product.activation_type = product.weight_type = artifact::DataType::bf16;
  product.result_type = artifact::DataType::f32;
  product.workspace_bytes = kProductWorkspace;
  product.columns = kToyHidden, product.depth = kProductDepth;
  return kernel;
}

inline void addProductWeight(artifact::PlanT &plan) {
  std::string bytes = productWeightBytes();
  plan.files.push_back(std::make_unique<artifact::FileT>());
  plan.files.back()->path = "weights/product";
  plan.files.back()->bytes = bytes.size();
  plan.files.back()->hash = runtime::hashHex(std::as_bytes(std::span(bytes)));
  auto weight = std::make_unique<artifact::WeightT>();
  weight->name = "product";
  weight->type = artifact::DataType::bf16;
  weight->shape = {kToyHidden, kProductDepth};
  weight->layout = "row_major";
  for (uint32_t layer = 0; layer < kToyLayers; ++layer)
    weight->slices.emplace_back(uint32_t(plan.files.size() - 1), layer * kToyHidden * kProductDepth * 2,
                                kToyHidden * kProductDepth * 2);
  plan.ranks[0]->weights.push_back(std::move(weight));
}

inline std::unique_ptr<artifact::KernelT> plainKernel(const char *name) {
  auto kernel = std::make_unique<artifact::KernelT>();
  kernel->name = name;
  kernel->implementation = "generated";
  kernel->threads = 32;
  return kernel;
}

/// The weight's file, weights/product, holds productWeightBytes().
inline void useProduct(artifact::PlanT &plan) {
  using artifact::Argument, artifact::ArgumentKind;
  artifact::RankT &rank = *plan.ranks[0];
  addProductWeight(plan);
  rank.kernels.push_back(plainKernel("toy_activate"));
  rank.kernels.push_back(productKernel());
  rank.kernels.push_back(plainKernel("toy_accumulate"));
  Argument x{ArgumentKind::arena, 0}, activations{ArgumentKind::arena, kProductActivations},
      sums{ArgumentKind::arena, kProductSums}, scratch{ArgumentKind::arena, kProductScratch};
  auto block = std::make_unique<artifact::BlockT>(*rank.blocks[0]);
  block->name = "layer_over128";
  auto &steps = block->steps;
  steps[0] = productStep(kAccumulateKernel, {sums, x});
  steps.insert(steps.begin(), productStep(kProductKernel, {activations, {ArgumentKind::weight, 2}, sums, scratch}));
  steps.insert(steps.begin(), productStep(kActivateKernel, {activations}));
  rank.blocks.push_back(std::move(block));
  for (auto &entry : rank.entries) {
    if (entry->kind == artifact::EntryKind::decode)
      continue;
    entry->arena_bytes = uint64_t(kProductScratch + kProductWorkspace);
    for (auto &step : entry->steps)
      if (auto *call = step->kind.AsCall())
        call->block = 1;
  }
}

} // namespace kimi::test
