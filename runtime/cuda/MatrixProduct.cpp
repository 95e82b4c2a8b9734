#include "runtime/cuda/MatrixProduct.h"

#include <fmt/format.h>

namespace kimi::runtime::cuda {

// What every operand is aligned to: buffers of the arena, slices of weights, step outputs.
static constexpr uint32_t kAlignment = 64;

std::string MatrixProductShape::text(int64_t rows) const {
  return fmt::format("{} x {} x {}, bf16 to {}", rows, columns, depth, artifact::EnumNameDataType(result));
}

Expected<CublasLtContext> createContext(const CublasLt &library) {
  cublasLtHandle_t handle = nullptr;
  TRY(library.cublasLtCreate(&handle));
  return CublasLtContext(handle, library.cublasLtDestroy.address());
}

MatrixProduct::MatrixProduct(const CublasLt &library, const CublasLtContext &context, const MatrixProductShape &shape)
    : library(&library), context(context.get()), shape(shape),
      product(nullptr, library.cublasLtMatmulDescDestroy.address()),
      weight(nullptr, library.cublasLtMatrixLayoutDestroy.address()),
      activations(nullptr, library.cublasLtMatrixLayoutDestroy.address()),
      result(nullptr, library.cublasLtMatrixLayoutDestroy.address()) {}

Expected<MatrixProduct> MatrixProduct::create(const CublasLt &library, const CublasLtContext &context,
                                              const MatrixProductShape &shape, int64_t mostRows) {
  MatrixProduct created(library, context, shape);
  TRY(created.describe(mostRows));
  TRY(created.chooseFor(mostRows));
  created.full = created.algorithm;
  created.mostRows = created.rows = mostRows;
  return created;
}

Expected<CublasLtObject<cublasLtMatrixLayout_t>> MatrixProduct::layout(cudaDataType type, int64_t rows,
                                                                       int64_t columns) const {
  cublasLtMatrixLayout_t made = nullptr;
  TRY(library->cublasLtMatrixLayoutCreate(&made, type, uint64_t(rows), uint64_t(columns), rows));
  return CublasLtObject<cublasLtMatrixLayout_t>(made, library->cublasLtMatrixLayoutDestroy.address());
}

/// The library's matrices are column-major: each of ours is the transpose of one of its. It computes
///   result' [columns, rows] = (weight' [depth, columns])' * activations' [depth, rows]
Status MatrixProduct::describe(int64_t mostRows) {
  cublasLtMatmulDesc_t made = nullptr;
  TRY(library->cublasLtMatmulDescCreate(&made, CUBLAS_COMPUTE_32F, CUDA_R_32F));
  product.reset(made);
  int32_t transposed = CUBLAS_OP_T;
  TRY(library->cublasLtMatmulDescSetAttribute(made, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed));
  TRY_ASSIGN(weight, layout(CUDA_R_16BF, shape.depth, shape.columns));
  TRY_ASSIGN(activations, layout(CUDA_R_16BF, shape.depth, mostRows));
  TRY_ASSIGN(result, layout(shape.result == artifact::DataType::bf16 ? CUDA_R_16BF : CUDA_R_32F, shape.columns, mostRows));
  return {};
}

/// Parts of a split sum are added in f32, one after another: anything else would round more than once, or in another order
/// from run to run.
Expected<CublasLtObject<cublasLtMatmulPreference_t>> MatrixProduct::preference() const {
  cublasLtMatmulPreference_t made = nullptr;
  TRY(library->cublasLtMatmulPreferenceCreate(&made));
  CublasLtObject<cublasLtMatmulPreference_t> owned(made, library->cublasLtMatmulPreferenceDestroy.address());
  auto set = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
    return library->cublasLtMatmulPreferenceSetAttribute(made, attribute, &value, sizeof value);
  };
  TRY(set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, shape.workspaceBytes));
  TRY(set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, uint32_t(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE)));
  for (auto operand : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                       CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
    TRY(set(operand, kAlignment));
  return owned;
}

/// The layouts have that many rows.
Status MatrixProduct::chooseFor(int64_t rows) {
  TRY_ASSIGN(auto wanted, preference());
  cublasLtMatmulHeuristicResult_t best{};
  int found = 0;
  cublasStatus_t status = library->cublasLtMatmulAlgoGetHeuristic.raw(
      context, product.get(), weight.get(), activations.get(), result.get(), result.get(), wanted.get(), 1, &best, &found);
  if (status != CUBLAS_STATUS_SUCCESS && status != CUBLAS_STATUS_NOT_SUPPORTED)
    return std::unexpected(describeStatus(*library, "cublasLtMatmulAlgoGetHeuristic", status));
  if (status != CUBLAS_STATUS_SUCCESS || found < 1 || best.state != CUBLAS_STATUS_SUCCESS)
    return failure(fmt::format("{} has no algorithm for {} with {} bytes of workspace: compile without --impl linear=cublaslt",
                               library->name(), shape.text(rows), shape.workspaceBytes));
  algorithm = best.algo;
  return {};
}

bool MatrixProduct::accepts(const cublasLtMatmulAlgo_t &candidate) const {
  cublasLtMatmulHeuristicResult_t checked{};
  cublasStatus_t status = library->cublasLtMatmulAlgoCheck.raw(context, product.get(), weight.get(), activations.get(),
                                                               result.get(), result.get(), &candidate, &checked);
  return status == CUBLAS_STATUS_SUCCESS && checked.state == CUBLAS_STATUS_SUCCESS &&
         checked.workspaceSize <= shape.workspaceBytes;
}

Status MatrixProduct::setRows(int64_t wanted) {
  if (rows == wanted)
    return {};
  rows = 0;
  auto columns = uint64_t(wanted);
  for (cublasLtMatrixLayout_t changing : {activations.get(), result.get()})
    TRY(library->cublasLtMatrixLayoutSetAttribute(changing, CUBLASLT_MATRIX_LAYOUT_COLS, &columns, sizeof columns));
  if (wanted == mostRows || accepts(full))
    algorithm = full;
  else
    TRY(chooseFor(wanted));
  rows = wanted;
  return {};
}

Status MatrixProduct::start(CUstream stream, const MatrixProductBuffers &buffers, int64_t wanted) {
  static constexpr float kOne = 1, kZero = 0; // with which the library does not read what the result had before
  TRY(setRows(wanted));
  TRY(library->cublasLtMatmul(context, product.get(), &kOne, buffers.weight, weight.get(), buffers.activations,
                              activations.get(), &kZero, buffers.result, result.get(), buffers.result, result.get(),
                              &algorithm, buffers.workspace, shape.workspaceBytes, stream));
  startedRows = wanted;
  return {};
}

} // namespace kimi::runtime::cuda
