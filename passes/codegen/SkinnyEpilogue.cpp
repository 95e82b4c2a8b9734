#include "passes/codegen/SkinnyEpilogue.h"

#include "passes/codegen/CudaPointer.h"
#include "passes/codegen/PrintCuda.h"
#include "passes/select/SkinnyGemm.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using kimi::kernel::FuncOp;

namespace kimi::passes {

namespace {

/// Writes func.func @epilogue(buffers .., row, column, sums ..): for each of `width` columns the operations between the
/// product and the kernel's result, on scalars.
class EpilogueBuilder {
public:
  EpilogueBuilder(FuncOp kernel, const SkinnyProduct &product, int width)
      : kernel(kernel), product(product), width(width), b(kernel.getContext()), loc(kernel.getLoc()) {}

  OwningOpRef<ModuleOp> build() {
    OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
    b.setInsertionPointToStart(module->getBody());
    function = func::FuncOp::create(b, loc, "epilogue", b.getFunctionType(argumentTypes(), {}));
    b.setInsertionPointToStart(function.addEntryBlock());
    Value result = kernel.getBody().front().getTerminator()->getOperand(0);
    store(lanesOf(result));
    func::ReturnOp::create(b, loc);
    return module;
  }

private:
  unsigned numBuffers() { return kernel.getNumArguments() + 1; }
  Value row() { return function.getArgument(numBuffers()); }
  Value column() { return function.getArgument(numBuffers() + 1); }

  SmallVector<Type> argumentTypes() {
    SmallVector<Type> types(numBuffers(), MemRefType::get({ShapedType::kDynamic}, b.getI8Type()));
    types.append(2, b.getIndexType());
    types.append(width, b.getF32Type());
    return types;
  }

  /// Buffer `number` as what it holds. Only the first size may be unknown; addresses do not depend on it.
  Value view(unsigned number, Type type) {
    auto tensor = cast<RankedTensorType>(type);
    Value zero = arith::ConstantIndexOp::create(b, loc, 0);
    SmallVector<Value> sizes(tensor.getNumDynamicDims(), zero);
    return memref::ViewOp::create(b, loc, MemRefType::get(tensor.getShape(), tensor.getElementType()),
                                  function.getArgument(number), zero, sizes);
  }

  /// The values of a tensor [t, n] at this row and these columns.
  SmallVector<Value> lanesOf(Value tensor) {
    if (tensor == product.op.getResult(0))
      return llvm::to_vector_of<Value>(function.getArguments().take_back(width));
    auto generic = tensor.getDefiningOp<linalg::GenericOp>();
    return generic ? compute(generic) : load(cast<BlockArgument>(tensor), b.getMultiDimIdentityMap(2));
  }

  SmallVector<Value> compute(linalg::GenericOp op) {
    SmallVector<SmallVector<Value>> inputs;
    for (OpOperand *operand : op.getDpsInputOperands()) {
      auto argument = dyn_cast<BlockArgument>(operand->get());
      inputs.push_back(argument ? load(argument, op.getMatchingIndexingMap(operand)) : lanesOf(operand->get()));
    }
    SmallVector<Value> results;
    for (int lane = 0; lane < width; ++lane) {
      IRMapping mapping;
      for (auto [number, lanes] : llvm::enumerate(inputs))
        mapping.map(op.getBody()->getArgument(number), lanes[lane]);
      for (Operation &scalar : op.getBody()->without_terminator())
        b.clone(scalar, mapping);
      results.push_back(mapping.lookupOrDefault(op.getBody()->getTerminator()->getOperand(0)));
    }
    return results;
  }

  /// An argument read through `map` of (row, column): together where columns are neighbours, once where they do not matter.
  SmallVector<Value> load(BlockArgument argument, AffineMap map) {
    Value memref = view(argument.getArgNumber(), argument.getType());
    SmallVector<Value> indices;
    for (AffineExpr result : map.getResults())
      indices.push_back(cast<AffineDimExpr>(result).getPosition() == 0 ? row() : column());
    bool isAlongColumns = map.getNumResults() > 0 && map.getResult(map.getNumResults() - 1) == b.getAffineDimExpr(1);
    if (!isAlongColumns || width == 1)
      return SmallVector<Value>(width, memref::LoadOp::create(b, loc, memref, indices));
    auto type = VectorType::get({width}, cast<MemRefType>(memref.getType()).getElementType());
    Value vector = vector::LoadOp::create(b, loc, type, memref, indices);
    SmallVector<Value> lanes;
    for (int64_t lane = 0; lane < width; ++lane)
      lanes.push_back(vector::ExtractOp::create(b, loc, vector, lane));
    return lanes;
  }

  void store(ArrayRef<Value> lanes) {
    Value memref = view(kernel.getNumArguments(), kernel.getResultTypes()[0]);
    if (width == 1) {
      memref::StoreOp::create(b, loc, lanes[0], memref, ValueRange{row(), column()});
      return;
    }
    auto type = VectorType::get({width}, lanes[0].getType());
    Value vector = vector::FromElementsOp::create(b, loc, type, lanes);
    vector::StoreOp::create(b, loc, vector, memref, ValueRange{row(), column()});
  }

  FuncOp kernel;
  SkinnyProduct product;
  int width;
  OpBuilder b;
  Location loc;
  func::FuncOp function;
};

/// Buffers that the template reads itself.
SmallVector<unsigned> operandsOf(const SkinnyProduct &product) {
  SmallVector<unsigned> operands = {product.weight, product.activations};
  for (auto scales : {product.weightScales, product.tokenScales})
    if (scales)
      operands.push_back(*scales);
  return operands;
}

} // namespace

std::string bufferName(unsigned number) { return "b" + std::to_string(number); }

FailureOr<cuda::Splice> writeSkinnyEpilogue(FuncOp kernel, const SkinnyProduct &product) {
  cuda::Splice splice = elementEpilogue(product.columns);
  OwningOpRef<ModuleOp> module = EpilogueBuilder(kernel, product, splice.width).build();
  PassManager passes(kernel.getContext());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  if (failed(passes.run(*module)))
    return failure();

  CudaTexts names;
  std::string members;
  SmallVector<unsigned> operands = operandsOf(product);
  for (unsigned number = 0; number <= kernel.getNumArguments(); ++number) {
    names.push_back(bufferName(number));
    if (llvm::is_contained(operands, number))
      continue;
    splice.arguments.push_back("u8 *" + bufferName(number));
    members += "  " + splice.arguments.back() + ";\n";
  }
  names.append({"index_t(token)", "index_t(column)"});
  for (int lane = 0; lane < splice.width; ++lane)
    names.push_back("sums[" + std::to_string(lane) + "]");
  FailureOr<std::string> body = printCudaBody(*module->getOps<func::FuncOp>().begin(), names, /*depth=*/1);
  if (failed(body))
    return failure();
  std::string width = std::to_string(splice.width);
  splice.text = "struct Epilogue {\n  static constexpr Splice kind = Splice::element;\n  static constexpr int width = " + width +
                ";\n" + members + "\n  __device__ __forceinline__ void operator()(int token, int column, const float (&sums)[" +
                width + "]) const {\n" + *body + "  }\n};";
  return splice;
}

} // namespace kimi::passes
