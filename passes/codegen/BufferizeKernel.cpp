// kimi-bufferize-kernel: kernels on tensors become functions on buffers, called through the kernel ABI.
#include "passes/codegen/Passes.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/Transforms.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/IRMapping.h"

namespace kimi::passes {
#define GEN_PASS_DEF_BUFFERIZEKERNEL
#include "passes/codegen/Passes.h.inc"
} // namespace kimi::passes

using namespace mlir;
using namespace kimi::kernel;

namespace {

/// Builds the memrefs of a kernel's arguments and results from the ABI's pointers.
class AbiReader {
public:
  AbiReader(OpBuilder &builder, Location loc, Value buffers, Value dims)
      : b(builder), loc(loc), buffers(buffers), dims(dims) {}

  /// Buffer number `number` as a contiguous memref of `type`; `extents` fill its `?`.
  Value memref(unsigned number, MemRefType type, ArrayRef<ExtentAttr> extents) {
    Type i64 = b.getI64Type(), pointer = LLVM::LLVMPointerType::get(b.getContext());
    Value slot = LLVM::GEPOp::create(b, loc, pointer, pointer, buffers, ArrayRef<LLVM::GEPArg>{(int32_t)number});
    Value data = LLVM::LoadOp::create(b, loc, pointer, slot);
    SmallVector<Value> sizes = sizesOf(type, extents), strides(sizes.size());
    Value stride = constant(1);
    for (int64_t dim = type.getRank() - 1; dim >= 0; --dim) {
      strides[dim] = stride;
      stride = LLVM::MulOp::create(b, loc, stride, sizes[dim]);
    }
    auto array = LLVM::LLVMArrayType::get(i64, type.getRank());
    auto descriptorType = LLVM::LLVMStructType::getLiteral(b.getContext(), {pointer, pointer, i64, array, array});
    Value descriptor = LLVM::UndefOp::create(b, loc, descriptorType);
    auto set = [&](Value value, ArrayRef<int64_t> position) {
      descriptor = LLVM::InsertValueOp::create(b, loc, descriptor, value, position);
    };
    set(data, {0});
    set(data, {1});
    set(constant(0), {2});
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      set(sizes[dim], {3, dim});
      set(strides[dim], {4, dim});
    }
    return UnrealizedConversionCastOp::create(b, loc, type, descriptor).getResult(0);
  }

private:
  Value constant(int64_t value) { return LLVM::ConstantOp::create(b, loc, b.getI64IntegerAttr(value)); }

  SmallVector<Value> sizesOf(MemRefType type, ArrayRef<ExtentAttr> extents) {
    SmallVector<Value> sizes;
    for (int64_t size : type.getShape()) {
      if (size != ShapedType::kDynamic) {
        sizes.push_back(constant(size));
        continue;
      }
      sizes.push_back(extentValue(extents.front()));
      extents = extents.drop_front();
    }
    return sizes;
  }

  /// ceil(dims[symbol] * multiplier / divisor)
  Value extentValue(ExtentAttr extent) {
    Type i64 = b.getI64Type();
    Value slot = LLVM::GEPOp::create(b, loc, LLVM::LLVMPointerType::get(b.getContext()), i64, dims,
                                     ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(extent.getSymbol())});
    Value value = LLVM::LoadOp::create(b, loc, i64, slot);
    if (extent.getMultiplier() != 1)
      value = LLVM::MulOp::create(b, loc, value, constant(extent.getMultiplier()));
    if (extent.getDivisor() == 1)
      return value;
    value = LLVM::AddOp::create(b, loc, value, constant(extent.getDivisor() - 1));
    return LLVM::UDivOp::create(b, loc, value, constant(extent.getDivisor()));
  }

  OpBuilder &b;
  Location loc;
  Value buffers, dims;
};

MemRefType memrefOf(Type type) {
  if (auto memref = dyn_cast<MemRefType>(type))
    return memref;
  auto tensor = cast<RankedTensorType>(type);
  return MemRefType::get(tensor.getShape(), tensor.getElementType());
}

func::FuncOp createAbiFunction(FuncOp kernel) {
  OpBuilder builder(kernel);
  Location loc = kernel.getLoc();
  Type pointer = LLVM::LLVMPointerType::get(builder.getContext());
  auto type = builder.getFunctionType({pointer, pointer, builder.getI64Type()}, {});
  auto func = func::FuncOp::create(builder, loc, kernel.getSymName(), type);
  Block *entry = func.addEntryBlock();
  builder.setInsertionPointToStart(entry);
  AbiReader abi(builder, loc, entry->getArgument(0), entry->getArgument(1));

  IRMapping mapping;
  for (auto [index, argument] : llvm::enumerate(kernel.getArguments())) {
    Value memref = abi.memref(index, memrefOf(argument.getType()), kernel.getArgumentDims(index));
    if (isa<MemRefType>(argument.getType()))
      mapping.map(argument, memref);
    else
      mapping.map(argument, bufferization::ToTensorOp::create(builder, loc, argument.getType(), memref,
                                                              /*restrict=*/true));
  }
  SmallVector<Value> outs;
  for (auto [index, resultType] : llvm::enumerate(kernel.getResultTypes()))
    outs.push_back(abi.memref(kernel.getNumArguments() + index, memrefOf(resultType), kernel.getResultDims(index)));
  for (Operation &op : kernel.getBody().front().without_terminator())
    builder.clone(op, mapping);
  for (auto [value, out] : llvm::zip(kernel.getBody().front().getTerminator()->getOperands(), outs))
    bufferization::MaterializeInDestinationOp::create(builder, loc, Type(), mapping.lookup(value), out,
                                                      /*restrict=*/true, /*writable=*/true);
  func::ReturnOp::create(builder, loc);
  return func;
}

struct BufferizeKernel : kimi::passes::impl::BufferizeKernelBase<BufferizeKernel> {
  void runOnOperation() override {
    for (auto kernel : llvm::make_early_inc_range(getOperation().getOps<FuncOp>())) {
      func::FuncOp func = createAbiFunction(kernel);
      kernel.erase();
      if (failed(bufferize(func)))
        return signalPassFailure();
    }
  }

  LogicalResult bufferize(func::FuncOp func) {
    IRRewriter rewriter(&getContext());
    if (failed(bufferization::eliminateEmptyTensors(rewriter, func)))
      return failure();
    bufferization::OneShotBufferizationOptions options;
    options.allowUnknownOps = true; // the ABI's casts; they hold no tensors
    bufferization::BufferizationState state;
    return bufferization::runOneShotBufferize(func, options, state);
  }
};

} // namespace
