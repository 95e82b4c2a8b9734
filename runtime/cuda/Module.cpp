#include "runtime/cuda/Module.h"

#include <algorithm>
#include <elf.h>
#include <fmt/format.h>

namespace kimi::runtime::cuda {

Expected<Module> Module::load(const Device &device, std::span<const std::byte> image,
                              const std::string &name) {
  // The driver takes no length: at least what it reads first must be there and be an ELF object.
  if (image.size() < sizeof(Elf64_Ehdr) ||
      std::string_view(reinterpret_cast<const char *>(image.data()), SELFMAG) != ELFMAG)
    return failure(
        fmt::format("{}: {} bytes that are not a cubin: compile the model again", name, image.size()));
  CUmodule created = nullptr;
  if (auto status = device.driver().cuModuleLoadData(&created, image.data()); !status)
    return failure(fmt::format("{}: {} does not take it: compile the model again for this GPU", name,
                               device.properties().name),
                   status.error());
  Module loaded;
  loaded.handle = Owned<CUmodule>(created, device.driver().cuModuleUnload);
  loaded.fileName = name;
  return loaded;
}

static Status checkLimits(const Device &device, const char *symbol, const KernelHandle &kernel,
                          const KernelResources &resources) {
  const DeviceProperties &limits = device.properties();
  uint32_t maxThreads = std::min(limits.maxThreads, resources.maxThreads);
  if (kernel.threads > maxThreads)
    return failure(
        fmt::format("kernel {}: wants {} threads per block, but runs with at most {} on {}: compile it with "
                    "fewer (kimic --impl)",
                    symbol, kernel.threads, maxThreads, limits.name));
  uint64_t sharedBytes = uint64_t(kernel.sharedBytes) + resources.staticSharedBytes;
  if (sharedBytes > limits.maxSharedBytes)
    return failure(fmt::format(
        "kernel {}: wants {} bytes of shared memory per block, but {} has {}: compile it for this "
        "GPU or choose another implementation (kimic --impl)",
        symbol, sharedBytes, limits.name, limits.maxSharedBytes));
  if (kernel.cluster > 1 && !limits.hasClusters)
    return failure(
        fmt::format("kernel {}: wants clusters of {} blocks, but {} has no clusters: compile it for this GPU",
                    symbol, kernel.cluster, limits.name));
  return {};
}

Expected<KernelResources> Module::find(const Device &device, const char *symbol, KernelHandle &kernel) const {
  const Driver &driver = device.driver();
  if (auto status = driver.cuModuleGetFunction(&kernel.function, handle.get(), symbol); !status)
    return failure(fmt::format("kernel {} is not defined in {}: compile the model again", symbol, fileName),
                   status.error());
  auto read = [&](CUfunction_attribute attribute, uint32_t &value) -> Status {
    int number = 0;
    TRY(driver.cuFuncGetAttribute(&number, attribute, kernel.function));
    value = uint32_t(number);
    return {};
  };
  // The driver would load it at its first launch, and wait for the device to do so.
  TRY(driver.cuFuncLoad(kernel.function));
  KernelResources resources;
  TRY(read(CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, resources.maxThreads));
  TRY(read(CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, resources.staticSharedBytes));
  TRY(read(CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES, resources.localBytes));
  TRY(checkLimits(device, symbol, kernel, resources));
  if (kernel.sharedBytes == 0)
    return resources;
  if (auto status = driver.cuFuncSetAttribute(
          kernel.function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, int(kernel.sharedBytes));
      !status)
    return failure(fmt::format("kernel {}", symbol), status.error());
  return resources;
}

} // namespace kimi::runtime::cuda
