#include "runtime/engine/Program.h"

#include "runtime/engine/PlanWalk.h"

namespace kimi::runtime {

using namespace kimi::artifact;

static std::byte *weightAddress(const Rank &rank, const Addresses &addresses, uint32_t index,
                                uint32_t layer) {
  const Weight &weight = *rank.weights()->Get(index);
  const WeightSlice &slice = *weight.slices()->Get(layer - weight.first_layer());
  return addresses.files[slice.file()] + slice.offset();
}

static void *resolve(const Argument &argument, uint32_t layer, const Rank &rank, const Addresses &addresses) {
  switch (argument.kind()) {
  case ArgumentKind::arena:
    return addresses.arena + argument.value();
  case ArgumentKind::weight:
    return weightAddress(rank, addresses, uint32_t(argument.value()), layer);
  case ArgumentKind::input:
    return addresses.inputs + addresses.layout.offset(StepInput(argument.value()));
  case ArgumentKind::output:
    return StepOutput(argument.value()) == StepOutput::logits
               ? addresses.logits
               : addresses.outputs + addresses.layout.offset(StepOutput(argument.value()));
  case ArgumentKind::cache: {
    size_t cache = size_t(argument.value());
    return addresses.caches[cache] + layer * addresses.cacheLayerBytes[cache];
  }
  }
  return nullptr; // checkPlan refuses other kinds
}

Program::Program(const Rank &rank, const Entry &entry, const Addresses &addresses) : planEntry(&entry) {
  forEachLaunch(rank, entry,
                [&](const Launch &launch, uint32_t layer) { addLaunch(launch, layer, rank, addresses); });
}

void Program::addLaunch(const Launch &launch, uint32_t layer, const Rank &rank, const Addresses &addresses) {
  records.push_back({.planned = &launch,
                     .kernel = launch.kernel(),
                     .firstArgument = uint32_t(argumentList.size()),
                     .numArguments = sizeOf(launch.arguments()),
                     .firstExtent = uint32_t(extents.size()),
                     .numExtents = sizeOf(launch.grid())});
  std::span<const Extent> grid = gridOf(launch);
  extents.insert(extents.end(), grid.begin(), grid.end());
  for (uint32_t i = 0; i < sizeOf(launch.arguments()); ++i)
    argumentList.push_back(resolve(*launch.arguments()->Get(i), layer, rank, addresses));
}

bool Program::fits(const Dims &dims) const {
  const Capacity &capacity = *planEntry->capacity();
  auto size = [&](DimSymbol symbol) { return dims[size_t(symbol)]; };
  return size(DimSymbol::tokens) <= capacity.max_tokens() &&
         size(DimSymbol::sequences) <= capacity.max_sequences() &&
         size(DimSymbol::logit_rows) <= capacity.max_logit_rows() &&
         size(DimSymbol::bias_entries) <= capacity.max_bias_entries() &&
         size(DimSymbol::penalty_entries) <= capacity.max_penalty_entries();
}

int64_t Program::numTasks(const LaunchRecord &launch, const Dims &dims) const {
  return countTasks(std::span(extents).subspan(launch.firstExtent, launch.numExtents), dims);
}

} // namespace kimi::runtime
