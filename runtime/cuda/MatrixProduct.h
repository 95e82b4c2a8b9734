// One matrix product that cuBLASLt computes: result[t, n] = sum over k of activations[t, k] * weight[n, k], of bf16, row-major,
// with sums in f32. Thread rule: the engine's.
#pragma once

#include "runtime/cuda/CublasLt.h"
#include "runtime/schema/artifact_generated.h"

namespace kimi::runtime::cuda {

struct MatrixProductShape {
  int64_t columns = 0, depth = 0;
  artifact::DataType result = artifact::DataType::f32; // or bf16: rounded once
  uint64_t workspaceBytes = 0;

  std::string text(int64_t rows) const; // "512 x 96 x 256, bf16 to f32"
};

/// On the device.
struct MatrixProductBuffers {
  const void *activations = nullptr, *weight = nullptr;
  void *result = nullptr, *workspace = nullptr;
};

using CublasLtContext = CublasLtObject<cublasLtHandle_t>;

/// For the device that is current. Errors: the library cannot use it.
Expected<CublasLtContext> createContext(const CublasLt &library);

class MatrixProduct {
public:
  /// Chooses the algorithm for `mostRows` rows; `context` outlives the product. Error: the library has none.
  static Expected<MatrixProduct> create(const CublasLt &library, const CublasLtContext &context,
                                        const MatrixProductShape &shape, int64_t mostRows);

  /// Starts it behind whatever is on the stream, for 1 to mostRows rows. The algorithm follows from the rows alone, so the
  /// same input gives the same bits: mostRows' own, where the library takes it for so few, else what it chooses for them.
  Status start(CUstream stream, const MatrixProductBuffers &buffers, int64_t rows);

  /// Whether it was started last for as many: then what it runs is loaded, and it does not wait for the device.
  bool hasStarted(int64_t rows) const { return startedRows == rows; }

private:
  MatrixProduct(const CublasLt &library, const CublasLtContext &context, const MatrixProductShape &shape);
  Status describe(int64_t mostRows);
  Status setRows(int64_t rows);
  Status chooseFor(int64_t rows);
  bool accepts(const cublasLtMatmulAlgo_t &candidate) const;
  Expected<CublasLtObject<cublasLtMatrixLayout_t>> layout(cudaDataType type, int64_t rows, int64_t columns) const;
  Expected<CublasLtObject<cublasLtMatmulPreference_t>> preference() const;

  const CublasLt *library;
  cublasLtHandle_t context;
  MatrixProductShape shape;
  CublasLtObject<cublasLtMatmulDesc_t> product;
  CublasLtObject<cublasLtMatrixLayout_t> weight, activations, result; // the library's A, B, C and D
  cublasLtMatmulAlgo_t full{}, algorithm{};                           // for the most rows, for these
  int64_t mostRows = 0, rows = 0, startedRows = 0;                    // rows: 0 = none chosen
};

} // namespace kimi::runtime::cuda
