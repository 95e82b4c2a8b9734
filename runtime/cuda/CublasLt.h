// cuBLASLt, found when the program runs and only where a plan calls it: libcublasLt.so.13 or .so.12, or the file that
// KIMI_CUBLASLT names. Every entry point used stands here, under cublasLt.h's name. Thread rule: constant once opened; entry
// points are as thread-safe as cuBLASLt's.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/cuda/CublasLtTypes.h"
#include "runtime/cuda/DriverTypes.h"

#include <memory>
#include <string>
#include <type_traits>

namespace kimi::runtime::cuda {

class CublasLt;

/// The error an entry point gave, as "cublasLtMatmul: CUBLAS_STATUS_NOT_SUPPORTED".
Error describeStatus(const CublasLt &library, const char *entryPoint, cublasStatus_t status);

template <typename Signature> class CublasLtFunction;

/// One function of the library. Called, it gives its status as a Status.
template <typename... Arguments> class CublasLtFunction<cublasStatus_t(Arguments...)> {
public:
  CublasLtFunction(const CublasLt &library, const char *name) : library(library), name(name) {}

  Status operator()(Arguments... arguments) const {
    cublasStatus_t status = function(arguments...);
    if (status == CUBLAS_STATUS_SUCCESS) [[likely]]
      return {};
    return std::unexpected(describeStatus(library, name, status));
  }

  /// The bare status, for callers that tell statuses apart or cannot do anything about one.
  cublasStatus_t raw(Arguments... arguments) const { return function(arguments...); }

  /// For owners of what the library made.
  auto address() const { return function; }

private:
  friend class CublasLt;
  const CublasLt &library;
  const char *name;
  cublasStatus_t (*function)(Arguments...) = nullptr;
};

// clang-format off
#define KIMI_CUBLASLT_ENTRY_POINTS(X)                                                                                  \
  X(cublasLtCreate, cublasLtHandle_t *handle)                                                                          \
  X(cublasLtDestroy, cublasLtHandle_t handle)                                                                          \
  X(cublasLtMatmulDescCreate, cublasLtMatmulDesc_t *product, cublasComputeType_t compute, cudaDataType scale)          \
  X(cublasLtMatmulDescDestroy, cublasLtMatmulDesc_t product)                                                           \
  X(cublasLtMatmulDescSetAttribute, cublasLtMatmulDesc_t product, cublasLtMatmulDescAttributes_t attribute,            \
    const void *value, size_t bytes)                                                                                   \
  X(cublasLtMatrixLayoutCreate, cublasLtMatrixLayout_t *layout, cudaDataType type, uint64_t rows, uint64_t columns,    \
    int64_t stride)                                                                                                    \
  X(cublasLtMatrixLayoutDestroy, cublasLtMatrixLayout_t layout)                                                        \
  X(cublasLtMatrixLayoutSetAttribute, cublasLtMatrixLayout_t layout, cublasLtMatrixLayoutAttribute_t attribute,        \
    const void *value, size_t bytes)                                                                                   \
  X(cublasLtMatmulPreferenceCreate, cublasLtMatmulPreference_t *preference)                                            \
  X(cublasLtMatmulPreferenceDestroy, cublasLtMatmulPreference_t preference)                                            \
  X(cublasLtMatmulPreferenceSetAttribute, cublasLtMatmulPreference_t preference,                                       \
    cublasLtMatmulPreferenceAttributes_t attribute, const void *value, size_t bytes)                                   \
  X(cublasLtMatmulAlgoGetHeuristic, cublasLtHandle_t handle, cublasLtMatmulDesc_t product, cublasLtMatrixLayout_t a,   \
    cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,                                      \
    cublasLtMatmulPreference_t preference, int wanted, cublasLtMatmulHeuristicResult_t *results, int *found)           \
  X(cublasLtMatmulAlgoCheck, cublasLtHandle_t handle, cublasLtMatmulDesc_t product, cublasLtMatrixLayout_t a,          \
    cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d, const cublasLtMatmulAlgo_t *algorithm, \
    cublasLtMatmulHeuristicResult_t *result)                                                                           \
  X(cublasLtMatmul, cublasLtHandle_t handle, cublasLtMatmulDesc_t product, const void *alpha, const void *a,           \
    cublasLtMatrixLayout_t aLayout, const void *b, cublasLtMatrixLayout_t bLayout, const void *beta, const void *c,    \
    cublasLtMatrixLayout_t cLayout, void *d, cublasLtMatrixLayout_t dLayout, const cublasLtMatmulAlgo_t *algorithm,    \
    void *workspace, size_t workspaceBytes, CUstream stream)
// clang-format on

/// What the library made, destroyed by it.
template <typename Handle>
using CublasLtObject = std::unique_ptr<std::remove_pointer_t<Handle>, cublasStatus_t (*)(Handle)>;

class CublasLt {
public:
  /// The same object for every caller, and never unloaded: it has threads and memory of its own. Errors: no such library,
  /// or one without an entry point; each says what to install.
  static Expected<const CublasLt *> open();

  /// "cuBLASLt 13.1.0"
  std::string name() const;

#define KIMI_CUBLASLT_DECLARE(symbol, ...) CublasLtFunction<cublasStatus_t(__VA_ARGS__)> symbol{*this, #symbol};
  KIMI_CUBLASLT_ENTRY_POINTS(KIMI_CUBLASLT_DECLARE)
#undef KIMI_CUBLASLT_DECLARE

private:
  CublasLt() = default;
  CublasLt(const CublasLt &) = delete;
  static Expected<void *> openFile();
  Status load(void *library);

  friend Error describeStatus(const CublasLt &library, const char *entryPoint, cublasStatus_t status);

  const char *(*cublasLtGetStatusName)(cublasStatus_t status) = nullptr;
  size_t (*cublasLtGetVersion)() = nullptr;
};

} // namespace kimi::runtime::cuda
