#include "passes/codegen/KernelAbi.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using kimi::kernel::ExtentAttr;

namespace kimi::passes {

namespace {

class PointerAbi : public KernelAbi {
public:
  FunctionType type(MLIRContext *context, unsigned) const override {
    Type pointer = LLVM::LLVMPointerType::get(context);
    return FunctionType::get(context, {pointer, pointer, IntegerType::get(context, 64)}, {});
  }

  Value memref(OpBuilder &b, func::FuncOp function, unsigned number, MemRefType type,
               ArrayRef<ExtentAttr> extents) const override {
    Location loc = function.getLoc();
    Type i64 = b.getI64Type(), pointer = LLVM::LLVMPointerType::get(b.getContext());
    Value slot = LLVM::GEPOp::create(b, loc, pointer, pointer, function.getArgument(0),
                                     ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(number)});
    Value data = LLVM::LoadOp::create(b, loc, pointer, slot);
    SmallVector<Value> sizes = sizesOf(b, function, type, extents), strides(sizes.size());
    Value stride = constant(b, loc, 1);
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
    set(constant(b, loc, 0), {2});
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      set(sizes[dim], {3, dim});
      set(strides[dim], {4, dim});
    }
    return UnrealizedConversionCastOp::create(b, loc, type, descriptor).getResult(0);
  }

private:
  static Value constant(OpBuilder &b, Location loc, int64_t value) {
    return LLVM::ConstantOp::create(b, loc, b.getI64IntegerAttr(value));
  }

  static SmallVector<Value> sizesOf(OpBuilder &b, func::FuncOp function, MemRefType type,
                                    ArrayRef<ExtentAttr> extents) {
    SmallVector<Value> sizes;
    for (int64_t size : type.getShape()) {
      if (size != ShapedType::kDynamic) {
        sizes.push_back(constant(b, function.getLoc(), size));
        continue;
      }
      sizes.push_back(extentValue(b, function, extents.front()));
      extents = extents.drop_front();
    }
    return sizes;
  }

  /// ceil(dims[symbol] * multiplier / divisor)
  static Value extentValue(OpBuilder &b, func::FuncOp function, ExtentAttr extent) {
    Location loc = function.getLoc();
    Type i64 = b.getI64Type();
    Value slot = LLVM::GEPOp::create(b, loc, LLVM::LLVMPointerType::get(b.getContext()), i64, function.getArgument(1),
                                     ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(extent.getSymbol())});
    Value value = LLVM::LoadOp::create(b, loc, i64, slot);
    if (extent.getMultiplier() != 1)
      value = LLVM::MulOp::create(b, loc, value, constant(b, loc, extent.getMultiplier()));
    if (extent.getDivisor() == 1)
      return value;
    value = LLVM::AddOp::create(b, loc, value, constant(b, loc, extent.getDivisor() - 1));
    return LLVM::UDivOp::create(b, loc, value, constant(b, loc, extent.getDivisor()));
  }
};

class BufferAbi : public KernelAbi {
public:
  FunctionType type(MLIRContext *context, unsigned numBuffers) const override {
    Builder b(context);
    SmallVector<Type> inputs(numBuffers + 1, MemRefType::get({ShapedType::kDynamic}, b.getI8Type()));
    inputs[0] = MemRefType::get({kernel::kNumDims}, b.getI64Type());
    return b.getFunctionType(inputs, {});
  }

  Value memref(OpBuilder &b, func::FuncOp function, unsigned number, MemRefType type,
               ArrayRef<ExtentAttr> extents) const override {
    Location loc = function.getLoc();
    SmallVector<Value> sizes;
    for (ExtentAttr extent : extents)
      sizes.push_back(extentValue(b, function, extent));
    Value zero = arith::ConstantIndexOp::create(b, loc, 0);
    return memref::ViewOp::create(b, loc, type, function.getArgument(number + 1), zero, sizes);
  }

private:
  static Value extentValue(OpBuilder &b, func::FuncOp function, ExtentAttr extent) {
    Location loc = function.getLoc();
    auto constant = [&](int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); };
    Value symbol = constant(static_cast<int64_t>(extent.getSymbol()));
    Value value = memref::LoadOp::create(b, loc, function.getArgument(0), symbol);
    value = arith::IndexCastOp::create(b, loc, b.getIndexType(), value);
    if (extent.getMultiplier() != 1)
      value = arith::MulIOp::create(b, loc, value, constant(extent.getMultiplier()));
    if (extent.getDivisor() == 1)
      return value;
    value = arith::AddIOp::create(b, loc, value, constant(extent.getDivisor() - 1));
    return arith::DivUIOp::create(b, loc, value, constant(extent.getDivisor()));
  }
};

} // namespace

std::unique_ptr<KernelAbi> createPointerAbi() { return std::make_unique<PointerAbi>(); }
std::unique_ptr<KernelAbi> createBufferAbi() { return std::make_unique<BufferAbi>(); }

} // namespace kimi::passes
