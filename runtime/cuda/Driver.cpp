#include "runtime/cuda/Driver.h"

#include <cstdlib>
#include <dlfcn.h>
#include <fmt/format.h>

namespace kimi::runtime::cuda {

static constexpr int kOldestVersion = 13000; // 1000 * major + 10 * minor

static Expected<Driver> loadDriver() {
  const char *chosen = std::getenv("KIMI_CUDA_DRIVER");
  const char *name = chosen ? chosen : "libcuda.so.1";
  void *library = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return failure(fmt::format("this artifact needs an NVIDIA GPU, but the driver library {} was not found: run it on a "
                               "machine with one, or compile it for --target cpu",
                               name));
  Driver driver;
  const char *missing = nullptr;
#define KIMI_CUDA_FIND(member, symbol, parameters)                                                                     \
  if (!(driver.member = reinterpret_cast<decltype(driver.member)>(::dlsym(library, symbol))))                          \
    missing = symbol;
  KIMI_CUDA_FUNCTIONS(KIMI_CUDA_FIND)
#undef KIMI_CUDA_FIND
  if (missing)
    return failure(fmt::format("{} has no {}: install a driver for CUDA 13.0 (R580) or later", name, missing));
  int version = 0;
  TRY(driver.check(driver.Init(0), "cuInit"));
  TRY(driver.check(driver.DriverGetVersion(&version), "cuDriverGetVersion"));
  if (version < kOldestVersion)
    return failure(fmt::format("the NVIDIA driver supports CUDA {}.{}, but the artifact's code needs {}.{}: install "
                               "driver R580 or later",
                               version / 1000, version % 1000 / 10, kOldestVersion / 1000, 0));
  return driver;
}

Expected<const Driver *> Driver::get() {
  static const Expected<Driver> driver = loadDriver();
  if (!driver)
    return std::unexpected(driver.error());
  return &*driver;
}

Status Driver::check(Result result, std::string_view what) const {
  if (result == 0)
    return {};
  const char *name = nullptr, *text = nullptr;
  GetErrorName(result, &name);
  GetErrorString(result, &text);
  return failure(fmt::format("{}: {} ({})", what, name ? name : fmt::format("CUDA error {}", result),
                             text ? text : "no description"));
}

} // namespace kimi::runtime::cuda
