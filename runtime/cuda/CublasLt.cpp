#include "runtime/cuda/CublasLt.h"

#include <cstdlib>
#include <dlfcn.h>
#include <fmt/format.h>
#include <map>
#include <mutex>
#include <vector>

namespace kimi::runtime::cuda {

static constexpr const char *kAdvice = "install CUDA 13's cuBLAS, name its libcublasLt.so in KIMI_CUBLASLT, or compile "
                                       "without --impl linear=cublaslt";

Error describeStatus(const CublasLt &library, const char *entryPoint, cublasStatus_t status) {
  const char *name = library.cublasLtGetStatusName(status);
  return {fmt::format("{}: {} ({})", entryPoint, name ? name : "unknown status", int(status))};
}

/// What KIMI_CUBLASLT names, or the first of the library's own names that there is.
Expected<void *> CublasLt::openFile() {
  const char *chosen = std::getenv("KIMI_CUBLASLT");
  std::vector<std::string> names = {"libcublasLt.so.13", "libcublasLt.so.12"};
  if (chosen && *chosen)
    names = {chosen};
  std::string tried;
  for (const std::string &name : names) {
    if (void *library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL))
      return library;
    tried += std::string(tried.empty() ? "" : "; ") + dlerror();
  }
  return failure(fmt::format("no cuBLASLt: {}: {}", tried, kAdvice));
}

Status CublasLt::load(void *library) {
  auto find = [&](const char *symbol, auto &function) -> Status {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, symbol));
    if (!function)
      return failure(fmt::format("this cuBLASLt has no entry point {}: {}", symbol, kAdvice));
    return {};
  };
  TRY(find("cublasLtGetStatusName", cublasLtGetStatusName));
  TRY(find("cublasLtGetVersion", cublasLtGetVersion));
#define KIMI_CUBLASLT_FIND(symbol, ...) TRY(find(#symbol, symbol.function));
  KIMI_CUBLASLT_ENTRY_POINTS(KIMI_CUBLASLT_FIND)
#undef KIMI_CUBLASLT_FIND
  return {};
}

Expected<const CublasLt *> CublasLt::open() {
  static std::mutex mutex;
  static std::map<void *, std::unique_ptr<CublasLt>> opened; // by dlopen's handle
  std::lock_guard lock(mutex);
  TRY_ASSIGN(void *file, openFile());
  std::unique_ptr<CublasLt> &library = opened[file];
  if (!library) {
    std::unique_ptr<CublasLt> fresh(new CublasLt());
    TRY(fresh->load(file));
    library = std::move(fresh);
  }
  return library.get();
}

std::string CublasLt::name() const {
  size_t version = cublasLtGetVersion();
  return fmt::format("cuBLASLt {}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

} // namespace kimi::runtime::cuda
