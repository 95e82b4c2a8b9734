#include "runtime/cuda/Driver.h"

#include <cstdlib>
#include <dlfcn.h>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <mutex>

namespace kimi::runtime::cuda {

static constexpr int kOldestVersion = 13000; // what NVRTC 13's cubins need: driver R580
static constexpr const char *kAdvice = "install NVIDIA driver R580 or later, or compile with --target cpu";

Error describeResult(const Driver &driver, const char *entryPoint, CUresult result) {
  const char *name = nullptr, *text = nullptr;
  driver.cuGetErrorName(result, &name);
  driver.cuGetErrorString(result, &text);
  if (!name)
    return {fmt::format("{}: unknown CUDA error {}", entryPoint, int(result))};
  return {fmt::format("{}: {} ({})", entryPoint, name, text ? text : "no description")};
}

template <typename Function> Status Driver::find(const char *symbol, Function &function) const {
  function = reinterpret_cast<Function>(dlsym(library, symbol));
  if (!function)
    return failure(fmt::format("the CUDA driver has no entry point {}: {}", symbol, kAdvice));
  return {};
}

Status Driver::load(const char *path) {
  library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return failure(fmt::format("no CUDA driver: {}: {}", dlerror(), kAdvice));
  TRY(find("cuDriverGetVersion", cuDriverGetVersion));
  TRY(find("cuGetErrorName", cuGetErrorName));
  TRY(find("cuGetErrorString", cuGetErrorString));
  TRY(find(cuInit.name, cuInit.function));
  TRY(checkVersion()); // before what only newer drivers have
#define KIMI_CUDA_FIND(member, symbol, ...) TRY(find(symbol, member.function));
  KIMI_CUDA_ENTRY_POINTS(KIMI_CUDA_FIND)
#undef KIMI_CUDA_FIND
  return {};
}

Status Driver::checkVersion() {
  CUresult result = cuDriverGetVersion(&supportedVersion);
  if (result != CUDA_SUCCESS)
    return std::unexpected(describeResult(*this, "cuDriverGetVersion", result));
  if (supportedVersion < kOldestVersion)
    return failure(fmt::format("the driver supports CUDA {}.{}, but {}.{} is needed: {}",
                               supportedVersion / 1000, supportedVersion % 1000 / 10, kOldestVersion / 1000,
                               kOldestVersion % 1000 / 10, kAdvice));
  return {};
}

Expected<const Driver *> Driver::open() {
  static std::mutex mutex;
  static std::map<std::string, std::unique_ptr<Driver>> opened; // by path
  const char *chosen = std::getenv("KIMI_CUDA_DRIVER");
  std::string path = chosen && *chosen ? chosen : "libcuda.so.1";
  std::lock_guard lock(mutex);
  std::unique_ptr<Driver> &driver = opened[path];
  if (!driver) {
    std::unique_ptr<Driver> fresh(new Driver());
    TRY(fresh->load(path.c_str()));
    driver = std::move(fresh);
  }
  TRY(driver->checkVersion());
  if (auto status = driver->cuInit(0); !status)
    return failure(status.error().message +
                   ": no GPU can be used here: run where nvidia-smi lists one, or compile "
                   "with --target cpu");
  return driver.get();
}

} // namespace kimi::runtime::cuda
