#include "runtime/engine/Program.h"

#include "runtime/engine/PlanWalk.h"

#include <chrono>
#include <span>

namespace kimi::runtime {

using namespace kimi::artifact;

static std::byte *weightAddress(const Addresses &addresses, uint32_t index, uint32_t layer) {
  const Weight &weight = *addresses.artifact.rank().weights()->Get(index);
  const WeightSlice &slice = *weight.slices()->Get(layer - weight.first_layer());
  // The ABI has one pointer type; weights are mapped read-only, so a kernel that writes one faults.
  return const_cast<std::byte *>(addresses.artifact.file(slice.file()).data()) + slice.offset();
}

static void *resolve(const Argument &argument, uint32_t layer, const Addresses &addresses) {
  switch (argument.kind()) {
  case ArgumentKind::arena:
    return addresses.arena + argument.value();
  case ArgumentKind::weight:
    return weightAddress(addresses, uint32_t(argument.value()), layer);
  case ArgumentKind::input:
    return addresses.table.address(StepInput(argument.value()));
  case ArgumentKind::output:
    return addresses.table.address(StepOutput(argument.value()));
  case ArgumentKind::cache: {
    size_t cache = size_t(argument.value());
    return addresses.caches[cache] + layer * addresses.cacheLayerBytes[cache];
  }
  }
  return nullptr; // checkPlan refuses other kinds
}

Program::Program(const Entry &entry, const Addresses &addresses) {
  forEachLaunch(addresses.artifact.rank(), entry,
                [&](const Launch &launch, uint32_t layer) { addLaunch(launch, layer, addresses); });
}

void Program::addLaunch(const Launch &launch, uint32_t layer, const Addresses &addresses) {
  launches.push_back({.function = addresses.functions[launch.kernel()],
                      .kernel = launch.kernel(),
                      .firstArgument = uint32_t(arguments.size()),
                      .firstExtent = uint32_t(extents.size()),
                      .numExtents = sizeOf(launch.grid())});
  for (uint32_t i = 0; i < sizeOf(launch.grid()); ++i)
    extents.push_back(*launch.grid()->Get(i));
  for (uint32_t i = 0; i < sizeOf(launch.arguments()); ++i)
    arguments.push_back(resolve(*launch.arguments()->Get(i), layer, addresses));
}

int64_t Program::numTasks(const LaunchRecord &launch, const Dims &dims) const {
  return countTasks(std::span(extents).subspan(launch.firstExtent, launch.numExtents), dims);
}

void Program::run(ThreadPool &pool, const Dims &dims, Profile *profile) const {
  using Clock = std::chrono::steady_clock;
  Clock::time_point start;
  for (const LaunchRecord &launch : launches) {
    int64_t tasks = numTasks(launch, dims);
    if (tasks == 0)
      continue;
    if (profile)
      start = Clock::now();
    void *const *buffers = arguments.data() + launch.firstArgument;
    pool.parallelFor(tasks, [&](int64_t task) { launch.function(buffers, dims.data(), task); });
    if (profile)
      profile->record(launch.kernel, std::chrono::duration<double>(Clock::now() - start).count(), dims);
  }
}

} // namespace kimi::runtime
