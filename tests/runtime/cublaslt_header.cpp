// Compiled only: every number and size of runtime/cuda/CublasLtTypes.h and every signature of CublasLt.h is what NVIDIA's
// header says.
#include "runtime/cuda/CublasLt.h"

#include <cublasLt.h>
#include <type_traits>

namespace ours = kimi::runtime::cuda;

#define SAME(name) static_assert(int(ours::name) == int(::name), #name)
SAME(CUBLAS_STATUS_SUCCESS);
SAME(CUBLAS_STATUS_NOT_INITIALIZED);
SAME(CUBLAS_STATUS_INVALID_VALUE);
SAME(CUBLAS_STATUS_NOT_SUPPORTED);
SAME(CUDA_R_32F);
SAME(CUDA_R_16BF);
SAME(CUBLAS_COMPUTE_32F);
SAME(CUBLAS_OP_N);
SAME(CUBLAS_OP_T);
SAME(CUBLASLT_MATMUL_DESC_TRANSA);
SAME(CUBLASLT_MATRIX_LAYOUT_COLS);
SAME(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE);
SAME(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES);
SAME(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK);
SAME(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES);
SAME(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES);
SAME(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES);
SAME(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES);

using Result = ours::cublasLtMatmulHeuristicResult_t;
static_assert(sizeof(ours::cublasLtMatmulAlgo_t) == sizeof(::cublasLtMatmulAlgo_t));
static_assert(sizeof(Result) == sizeof(::cublasLtMatmulHeuristicResult_t));
static_assert(offsetof(Result, algo) == offsetof(::cublasLtMatmulHeuristicResult_t, algo));
static_assert(offsetof(Result, workspaceSize) == offsetof(::cublasLtMatmulHeuristicResult_t, workspaceSize));
static_assert(offsetof(Result, state) == offsetof(::cublasLtMatmulHeuristicResult_t, state));
static_assert(sizeof(int) == sizeof(::cublasStatus_t) && sizeof(int) == sizeof(::cublasLtMatmulPreferenceAttributes_t));

/// The same number of arguments, each of the same size and kind: pointers and handles, 64-bit numbers, 32-bit numbers.
template <typename Ours, typename Theirs>
inline constexpr bool isSame = sizeof(Ours) == sizeof(Theirs) && std::is_pointer_v<Ours> == std::is_pointer_v<Theirs>;
template <typename Ours, typename Theirs> struct IsSameFunction : std::false_type {};
template <typename... Ours, typename... Theirs>
  requires(sizeof...(Ours) == sizeof...(Theirs))
struct IsSameFunction<ours::cublasStatus_t(Ours...), ::cublasStatus_t(Theirs...)>
    : std::bool_constant<(isSame<Ours, Theirs> && ...)> {};

namespace kimi::runtime::cuda {
#define SAME_FUNCTION(symbol, ...)                                                                                   \
  static_assert(IsSameFunction<cublasStatus_t(__VA_ARGS__), decltype(::symbol)>::value, #symbol);
KIMI_CUBLASLT_ENTRY_POINTS(SAME_FUNCTION)
} // namespace kimi::runtime::cuda
