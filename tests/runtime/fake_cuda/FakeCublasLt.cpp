#include "tests/runtime/fake_cuda/FakeCublasLt.h"

#include "runtime/cuda/CublasLtTypes.h"
#include "tests/runtime/fake_cuda/FakeDriver.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace kimi::test {

static FakeCublasLt &fakeLibrary() {
  static FakeCublasLt settings;
  return settings;
}

struct Product {
  bool isTransposed = false;
};
struct Layout {
  cudaDataType type;
  uint64_t rows, columns;
  int64_t stride;
};
struct Preference {
  uint64_t workspaceBytes = 0;
  uint32_t reductions = 7, alignments[4] = {256, 256, 256, 256};
};

/// What an algorithm was chosen for, in the library's terms: m = columns of the product, n = its rows.
struct Algorithm {
  uint64_t magic, m, n, k, workspaceBytes, isBf16;
};
static_assert(sizeof(Algorithm) <= sizeof(cublasLtMatmulAlgo_t));
static constexpr uint64_t kMagic = 0x6b696d69;

static float fromBf16(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }
static uint16_t toBf16(float value) {
  auto bits = std::bit_cast<uint32_t>(value);
  return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16); // to the nearest, ties to even
}

struct Queued {
  uint64_t a, b, d, m, n, k, isBf16;
};
static_assert(sizeof(Queued) <= sizeof(Operation::state));

static void multiply(const void *state) {
  Queued q;
  std::memcpy(&q, state, sizeof q);
  auto *a = reinterpret_cast<uint16_t *>(onHost(q.a, q.m * q.k * 2)), *b = reinterpret_cast<uint16_t *>(onHost(q.b, q.n * q.k * 2));
  std::byte *d = onHost(q.d, q.m * q.n * (q.isBf16 ? 2 : 4));
  for (uint64_t row = 0; row < q.n; ++row)
    for (uint64_t column = 0; column < q.m; ++column) {
      float sum = 0;
      for (uint64_t k = 0; k < q.k; ++k)
        sum += fromBf16(a[column * q.k + k]) * fromBf16(b[row * q.k + k]);
      if (q.isBf16)
        reinterpret_cast<uint16_t *>(d)[row * q.m + column] = toBf16(sum);
      else
        reinterpret_cast<float *>(d)[row * q.m + column] = sum;
    }
}

/// The product of runtime/cuda/MatrixProduct: A transposed, everything dense.
static bool isKnown(const Product &product, const Layout &a, const Layout &b, const Layout &c, const Layout &d) {
  auto isDense = [](const Layout &layout) { return layout.rows > 0 && layout.columns > 0 && layout.stride == int64_t(layout.rows); };
  return product.isTransposed && isDense(a) && isDense(b) && isDense(d) && a.type == CUDA_R_16BF && b.type == CUDA_R_16BF &&
         (d.type == CUDA_R_16BF || d.type == CUDA_R_32F) && c.type == d.type && a.rows == b.rows && d.rows == a.columns &&
         d.columns == b.columns && c.rows == d.rows && c.columns == d.columns;
}

static bool isAligned(const void *address, uint64_t bytes, uint64_t alignment) {
  return uint64_t(address) % alignment == 0 && onHost(CUdeviceptr(address), bytes) != nullptr;
}

template <typename T> static cublasStatus_t make(T *made, auto *handle) {
  ++fakeLibrary().liveObjects;
  *handle = reinterpret_cast<std::remove_pointer_t<decltype(handle)>>(made);
  return CUBLAS_STATUS_SUCCESS;
}
template <typename T> static cublasStatus_t destroy(auto handle) {
  --fakeLibrary().liveObjects;
  delete reinterpret_cast<T *>(handle);
  return CUBLAS_STATUS_SUCCESS;
}
template <typename T> static T &at(auto handle) { return *reinterpret_cast<T *>(handle); }

} // namespace kimi::test

using namespace kimi::test;

#define MAY_FAIL(name)                                                                                       \
  if (fakeLibrary().failing == #name)                                                                        \
  return cublasStatus_t(fakeLibrary().status)

extern "C" {

FakeCublasLt *kimiFakeCublasLt() { return &fakeLibrary(); }

size_t cublasLtGetVersion() { return 130102; }
const char *cublasLtGetStatusName(cublasStatus_t status) {
  return status == CUBLAS_STATUS_NOT_SUPPORTED     ? "CUBLAS_STATUS_NOT_SUPPORTED"
         : status == CUBLAS_STATUS_NOT_INITIALIZED ? "CUBLAS_STATUS_NOT_INITIALIZED"
                                                   : "CUBLAS_STATUS_INVALID_VALUE";
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle) {
  MAY_FAIL(cublasLtCreate);
  return enter() == CUDA_SUCCESS ? make(new int(0), handle) : CUBLAS_STATUS_NOT_INITIALIZED;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) { return destroy<int>(handle); }

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *product, cublasComputeType_t compute, cudaDataType scale) {
  return compute == CUBLAS_COMPUTE_32F && scale == CUDA_R_32F ? make(new Product, product) : CUBLAS_STATUS_INVALID_VALUE;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t product) { return destroy<Product>(product); }
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t product, cublasLtMatmulDescAttributes_t attribute,
                                              const void *value, size_t bytes) {
  if (attribute != CUBLASLT_MATMUL_DESC_TRANSA || bytes != 4)
    return CUBLAS_STATUS_INVALID_VALUE;
  at<Product>(product).isTransposed = *static_cast<const int32_t *>(value) == CUBLAS_OP_T;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *layout, cudaDataType type, uint64_t rows,
                                          uint64_t columns, int64_t stride) {
  return make(new Layout{type, rows, columns, stride}, layout);
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) { return destroy<Layout>(layout); }
cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout, cublasLtMatrixLayoutAttribute_t attribute,
                                                const void *value, size_t bytes) {
  if (attribute != CUBLASLT_MATRIX_LAYOUT_COLS || bytes != 8)
    return CUBLAS_STATUS_INVALID_VALUE;
  at<Layout>(layout).columns = *static_cast<const uint64_t *>(value);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *preference) { return make(new Preference, preference); }
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) { return destroy<Preference>(preference); }
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute, const void *value,
                                                    size_t bytes) {
  Preference &changed = at<Preference>(preference);
  if (attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES && bytes == 8)
    std::memcpy(&changed.workspaceBytes, value, bytes);
  else if (attribute == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK && bytes == 4)
    std::memcpy(&changed.reductions, value, bytes);
  else if (attribute >= CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES && attribute <= CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES &&
           bytes == 4)
    std::memcpy(&changed.alignments[attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES], value, bytes);
  else
    return CUBLAS_STATUS_INVALID_VALUE;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t product, cublasLtMatrixLayout_t a,
                                              cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int wanted,
                                              cublasLtMatmulHeuristicResult_t *results, int *found) {
  MAY_FAIL(cublasLtMatmulAlgoGetHeuristic);
  const Preference &preferred = at<Preference>(preference);
  const Layout &left = at<Layout>(a), &right = at<Layout>(b), &out = at<Layout>(d);
  bool isAlignedTo64 = std::ranges::all_of(preferred.alignments, [](uint32_t bytes) { return bytes == 64; });
  if (!isKnown(at<Product>(product), left, right, at<Layout>(c), out) || wanted != 1 || !isAlignedTo64 ||
      preferred.reductions != CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE)
    return CUBLAS_STATUS_INVALID_VALUE;
  *found = fakeLibrary().hasAlgorithms && fakeLibrary().workspaceBytes <= preferred.workspaceBytes;
  if (*found == 0)
    return CUBLAS_STATUS_NOT_SUPPORTED;
  ++fakeLibrary().chosen;
  Algorithm algorithm{kMagic, left.columns, right.columns, left.rows, fakeLibrary().workspaceBytes, out.type == CUDA_R_16BF};
  results[0] = {};
  std::memcpy(&results[0].algo, &algorithm, sizeof algorithm);
  results[0].workspaceSize = algorithm.workspaceBytes;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t a,
                                       cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                       const cublasLtMatmulAlgo_t *given, cublasLtMatmulHeuristicResult_t *result) {
  Algorithm algorithm;
  std::memcpy(&algorithm, given, sizeof algorithm);
  ++fakeLibrary().checked;
  if (algorithm.magic != kMagic || algorithm.m != at<Layout>(a).columns || algorithm.k != at<Layout>(a).rows)
    return CUBLAS_STATUS_INVALID_VALUE;
  if (at<Layout>(b).columns > algorithm.n || int64_t(at<Layout>(b).columns) < fakeLibrary().fewestRows)
    return CUBLAS_STATUS_NOT_SUPPORTED;
  *result = {};
  result->algo = *given;
  result->workspaceSize = algorithm.workspaceBytes;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t product, const void *alpha, const void *a,
                              cublasLtMatrixLayout_t aLayout, const void *b, cublasLtMatrixLayout_t bLayout,
                              const void *beta, const void *c, cublasLtMatrixLayout_t cLayout, void *d,
                              cublasLtMatrixLayout_t dLayout, const cublasLtMatmulAlgo_t *given, void *workspace,
                              size_t workspaceBytes, CUstream stream) {
  MAY_FAIL(cublasLtMatmul);
  if (enter() != CUDA_SUCCESS)
    return CUBLAS_STATUS_NOT_INITIALIZED;
  const Layout &left = at<Layout>(aLayout), &right = at<Layout>(bLayout), &out = at<Layout>(dLayout);
  Algorithm algorithm;
  std::memcpy(&algorithm, given, sizeof algorithm);
  uint64_t m = left.columns, n = right.columns, k = left.rows, elementBytes = out.type == CUDA_R_16BF ? 2 : 4;
  bool fits = algorithm.magic == kMagic && algorithm.m == m && algorithm.k == k && n <= algorithm.n &&
              (n == algorithm.n || int64_t(n) >= fakeLibrary().fewestRows) && algorithm.workspaceBytes <= workspaceBytes;
  if (!isKnown(at<Product>(product), left, right, at<Layout>(cLayout), out) || !fits || c != d ||
      *static_cast<const float *>(alpha) != 1 || *static_cast<const float *>(beta) != 0 || !isAligned(a, m * k * 2, 64) ||
      !isAligned(b, n * k * 2, 64) || !isAligned(d, m * n * elementBytes, 64) || !isAligned(workspace, workspaceBytes, 256))
    return CUBLAS_STATUS_INVALID_VALUE;
  ++fakeLibrary().products;
  Queued queued{uint64_t(a), uint64_t(b), uint64_t(d), m, n, k, out.type == CUDA_R_16BF};
  Operation operation{.kind = Operation::call, .run = multiply};
  std::memcpy(operation.state.data(), &queued, sizeof queued);
  return enqueue(stream, operation) == CUDA_SUCCESS ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_INITIALIZED;
}

} // extern "C"
