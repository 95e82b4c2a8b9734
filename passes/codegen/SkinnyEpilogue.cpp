#include "passes/codegen/SkinnyEpilogue.h"

#include "passes/codegen/CudaPointer.h"
#include "passes/codegen/PrintCuda.h"
#include "passes/select/SpliceClass.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using kimi::kernel::FuncOp;

namespace kimi::passes {

namespace {

constexpr int kWarp = 32;

StringRef nameOf(cuda::SpliceClass kind) {
  switch (kind) {
  case cuda::SpliceClass::pair:
    return "pair";
  case cuda::SpliceClass::block:
    return "block";
  default:
    return "element";
  }
}

/// Sums that a call of the functor is given: of two weights in turn, where there are two.
int numSums(const cuda::Splice &splice) { return splice.kind == cuda::SpliceClass::block ? splice.width / kWarp : splice.width; }

/// Writes func.func @epilogue(buffers .., row, column, sums ..): the operations between the product and the kernel's results,
/// on scalars: one for each of the call's columns, and for the block of 128 columns that a warp has together.
class EpilogueBuilder {
public:
  EpilogueBuilder(FuncOp kernel, const SkinnyProduct &product)
      : kernel(kernel), product(product), lanes(numSums(product.epilogue) / (product.twin ? 2 : 1)), b(kernel.getContext()),
        loc(kernel.getLoc()) {}

  OwningOpRef<ModuleOp> build() {
    OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
    b.setInsertionPointToStart(module->getBody());
    function = func::FuncOp::create(b, loc, "epilogue", b.getFunctionType(argumentTypes(), {}));
    b.setInsertionPointToStart(function.addEntryBlock());
    for (auto [number, result] : llvm::enumerate(kernel.getBody().front().getTerminator()->getOperands())) {
      bool isOfBlocks = cast<RankedTensorType>(result.getType()).getDimSize(1) != product.columns;
      Value memref = view(kernel.getNumArguments() + number, result.getType());
      if (isOfBlocks)
        storeOnce(blockOf(result), memref);
      else
        store(lanesOf(result), memref);
    }
    func::ReturnOp::create(b, loc);
    return module;
  }

private:
  unsigned numBuffers() { return kernel.getNumArguments() + kernel.getNumResults(); }
  Value row() { return function.getArgument(numBuffers()); }
  Value column() { return function.getArgument(numBuffers() + 1); }

  SmallVector<Type> argumentTypes() {
    SmallVector<Type> types(numBuffers(), MemRefType::get({ShapedType::kDynamic}, b.getI8Type()));
    types.append(2, b.getIndexType());
    types.append(numSums(product.epilogue), b.getF32Type());
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

  //===- values of this call ------------------------------------------------------------------------------------===//

  /// The values of a tensor [t, n] at this row and these columns.
  SmallVector<Value> lanesOf(Value tensor) {
    if (auto argument = dyn_cast<BlockArgument>(tensor))
      return load(argument, b.getMultiDimIdentityMap(2));
    SmallVector<linalg::GenericOp> products = product.operations();
    auto generic = tensor.getDefiningOp<linalg::GenericOp>();
    if (auto found = llvm::find(products, generic); found != products.end())
      return sumsOf(found - products.begin(), products.size());
    if (!columns.contains(tensor)) {
      SmallVector<Value> values = compute(generic);
      columns[tensor] = std::move(values);
    }
    return columns[tensor];
  }

  SmallVector<Value> sumsOf(unsigned weight, unsigned numWeights) {
    SmallVector<Value> sums;
    for (int lane = 0; lane < lanes; ++lane)
      sums.push_back(function.getArgument(numBuffers() + 2 + lane * numWeights + weight));
    return sums;
  }

  SmallVector<Value> compute(linalg::GenericOp op) {
    SmallVector<SmallVector<Value>> inputs;
    for (OpOperand *operand : op.getDpsInputOperands()) {
      AffineMap map = op.getMatchingIndexingMap(operand);
      auto argument = dyn_cast<BlockArgument>(operand->get());
      inputs.push_back(argument          ? load(argument, map)
                       : isBlockMap(map) ? SmallVector<Value>(lanes, blockOf(operand->get()))
                                         : lanesOf(operand->get()));
    }
    SmallVector<Value> results;
    for (int lane = 0; lane < lanes; ++lane) {
      IRMapping mapping;
      for (auto [number, values] : llvm::enumerate(inputs))
        mapping.map(op.getBody()->getArgument(number), values[lane]);
      results.push_back(cloneScalars(op, mapping));
    }
    return results;
  }

  /// The value of a tensor [t, n / 128] at this row and the columns' block: every lane of the warp has it.
  Value blockOf(Value tensor) {
    auto [known, isNew] = blocks.try_emplace(tensor);
    if (!isNew)
      return known->second;
    auto generic = tensor.getDefiningOp<linalg::GenericOp>();
    if (auto maximum = matchBlockMaximum(generic))
      return blocks[tensor] = largest(generic, *maximum);
    IRMapping mapping;
    for (auto [input, argument] : llvm::zip(generic.getDpsInputs(), generic.getBody()->getArguments()))
      mapping.map(argument, blockOf(input));
    return blocks[tensor] = cloneScalars(generic, mapping);
  }

  /// Over this call's columns, then over the warp's. A maximum is the same in any order.
  Value largest(linalg::GenericOp op, BlockMaximum maximum) {
    Value most = arith::ConstantOp::create(b, loc, maximum.init);
    for (Value lane : lanesOf(maximum.source)) {
      IRMapping mapping;
      mapping.map(maximum.element.getResult(), lane);
      mapping.map(op.getBody()->getArgument(1), most);
      most = cloneScalars(op, mapping);
    }
    for (int distance = kWarp / 2; distance > 0; distance /= 2) {
      Value other = gpu::ShuffleOp::create(b, loc, most, distance, kWarp, gpu::ShuffleMode::XOR).getShuffleResult();
      most = arith::MaximumFOp::create(b, loc, most, other);
    }
    return most;
  }

  /// What `op` yields. Indices are those of the element that `mapping` holds already.
  Value cloneScalars(linalg::GenericOp op, IRMapping &mapping) {
    for (Operation &scalar : op.getBody()->without_terminator())
      if (!isa<linalg::IndexOp, tensor::ExtractOp>(scalar) && !scalar.getResult(0).getType().isIndex())
        b.clone(scalar, mapping);
    return mapping.lookupOrDefault(op.getBody()->getTerminator()->getOperand(0));
  }

  //===- memory -------------------------------------------------------------------------------------------------===//

  /// An argument read through `map` of (row, column): together where columns are neighbours, once where they do not matter.
  SmallVector<Value> load(BlockArgument argument, AffineMap map) {
    Value memref = view(argument.getArgNumber(), argument.getType());
    SmallVector<Value> indices;
    for (AffineExpr result : map.getResults())
      indices.push_back(cast<AffineDimExpr>(result).getPosition() == 0 ? row() : column());
    bool isAlongColumns = map.getNumResults() > 0 && map.getResult(map.getNumResults() - 1) == b.getAffineDimExpr(1);
    if (!isAlongColumns || lanes == 1)
      return SmallVector<Value>(lanes, memref::LoadOp::create(b, loc, memref, indices));
    auto type = VectorType::get({lanes}, cast<MemRefType>(memref.getType()).getElementType());
    Value vector = vector::LoadOp::create(b, loc, type, memref, indices);
    SmallVector<Value> values;
    for (int64_t lane = 0; lane < lanes; ++lane)
      values.push_back(vector::ExtractOp::create(b, loc, vector, lane));
    return values;
  }

  void store(ArrayRef<Value> values, Value memref) {
    if (lanes == 1) {
      memref::StoreOp::create(b, loc, values[0], memref, ValueRange{row(), column()});
      return;
    }
    auto type = VectorType::get({lanes}, values[0].getType());
    Value vector = vector::FromElementsOp::create(b, loc, type, values);
    vector::StoreOp::create(b, loc, vector, memref, ValueRange{row(), column()});
  }

  /// By the lane that has the block's first column.
  void storeOnce(Value value, Value memref) {
    Value size = arith::ConstantIndexOp::create(b, loc, kScaleBlock), zero = arith::ConstantIndexOp::create(b, loc, 0);
    Value within = arith::RemUIOp::create(b, loc, column(), size);
    Value isFirst = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, within, zero);
    auto choice = scf::IfOp::create(b, loc, isFirst, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(choice.thenBlock());
    Value block = arith::DivUIOp::create(b, loc, column(), size);
    memref::StoreOp::create(b, loc, value, memref, ValueRange{row(), block});
  }

  FuncOp kernel;
  SkinnyProduct product;
  int lanes; // columns of a call
  OpBuilder b;
  Location loc;
  func::FuncOp function;
  llvm::DenseMap<Value, SmallVector<Value>> columns; // computed already
  llvm::DenseMap<Value, Value> blocks;
};

/// What the functor's body calls the arguments of func.func @epilogue.
CudaTexts namesOf(FuncOp kernel, const SkinnyProduct &product) {
  CudaTexts names;
  for (unsigned number = 0; number < kernel.getNumArguments() + kernel.getNumResults(); ++number)
    names.push_back(bufferName(number));
  names.append({"index_t(token)", product.twin ? "index_t(column / 2)" : "index_t(column)"});
  for (int sum = 0; sum < numSums(product.epilogue); ++sum)
    names.push_back("sums[" + std::to_string(sum) + "]");
  return names;
}

} // namespace

std::string bufferName(unsigned number) { return "b" + std::to_string(number); }

FailureOr<cuda::Splice> writeSkinnyEpilogue(FuncOp kernel, const SkinnyProduct &product) {
  OwningOpRef<ModuleOp> module = EpilogueBuilder(kernel, product).build();
  PassManager passes(kernel.getContext());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  if (failed(passes.run(*module)))
    return failure();
  cuda::Splice splice = product.epilogue;
  std::string members;
  SmallVector<unsigned> operands = product.arguments();
  for (unsigned number = 0; number < kernel.getNumArguments() + kernel.getNumResults(); ++number) {
    if (llvm::is_contained(operands, number))
      continue;
    splice.arguments.push_back("u8 *" + bufferName(number));
    members += "  " + splice.arguments.back() + ";\n";
  }
  auto body = printCudaBody(*module->getOps<func::FuncOp>().begin(), namesOf(kernel, product), /*depth=*/1);
  if (failed(body))
    return failure();
  bool isBlock = splice.kind == cuda::SpliceClass::block;
  splice.text = "struct Epilogue {\n  static constexpr Splice kind = Splice::" + nameOf(splice.kind).str() +
                ";\n  static constexpr int " + (isBlock ? "span" : "width") + " = " + std::to_string(splice.width) + ";\n" +
                members + "\n  __device__ __forceinline__ void operator()(int token, int column, const float (&sums)[" +
                std::to_string(numSums(splice)) + "]) const {\n" + *body + "  }\n};";
  return splice;
}

} // namespace kimi::passes
