#include "dialects/kernel/BodyBuilder.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"

using namespace mlir;

namespace kimi::kernel {

Value BodyBuilder::index(int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); }

Value BodyBuilder::f32(double value) {
  return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(static_cast<float>(value)));
}

Value BodyBuilder::i32(int64_t value) { return arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(value)); }

Value BodyBuilder::dim(Value shaped, int64_t dimension) {
  if (isa<MemRefType>(shaped.getType()))
    return memref::DimOp::create(b, loc, shaped, dimension);
  return getValueOrCreateConstantIndexOp(b, loc, tensor::getMixedSize(b, loc, shaped, dimension));
}

Value BodyBuilder::toIndex(Value integer) { return arith::IndexCastOp::create(b, loc, b.getIndexType(), integer); }

Value BodyBuilder::toI32(Value value) { return arith::IndexCastOp::create(b, loc, b.getI32Type(), value); }

Value BodyBuilder::widen(Value value) {
  if (value.getType().isF32())
    return value;
  return arith::ExtFOp::create(b, loc, b.getF32Type(), value);
}

Value BodyBuilder::empty(ArrayRef<OpFoldResult> sizes, Type element) {
  return tensor::EmptyOp::create(b, loc, sizes, element);
}

Value BodyBuilder::filled(ArrayRef<OpFoldResult> sizes, Value scalar) {
  Value init = empty(sizes, scalar.getType());
  return linalg::FillOp::create(b, loc, scalar, init).getResult(0);
}

SmallVector<OpFoldResult> BodyBuilder::sizes(Value tensor) { return tensor::getMixedSizes(b, loc, tensor); }

Value BodyBuilder::generic(ValueRange inputs, ArrayRef<SmallVector<unsigned>> maps, Value init,
                           ArrayRef<unsigned> outMap, unsigned numLoops, const Payload &payload) {
  auto mapOf = [&](ArrayRef<unsigned> loops) {
    SmallVector<AffineExpr> exprs;
    for (unsigned loop : loops)
      exprs.push_back(b.getAffineDimExpr(loop));
    return AffineMap::get(numLoops, 0, exprs, b.getContext());
  };
  SmallVector<AffineMap> affineMaps;
  for (const SmallVector<unsigned> &map : maps)
    affineMaps.push_back(mapOf(map));
  affineMaps.push_back(mapOf(outMap));
  SmallVector<utils::IteratorType> iterators(numLoops, utils::IteratorType::reduction);
  for (unsigned loop : outMap)
    iterators[loop] = utils::IteratorType::parallel;
  auto op = linalg::GenericOp::create(b, loc, init.getType(), inputs, init, affineMaps, iterators,
                                      [&](OpBuilder &nested, Location nestedLoc, ValueRange arguments) {
                                        BodyBuilder inner(nested, nestedLoc);
                                        linalg::YieldOp::create(nested, nestedLoc, payload(inner, arguments));
                                      });
  return op.getResult(0);
}

Value BodyBuilder::elementwise(ValueRange inputs, Value init, const Payload &payload) {
  unsigned rank = cast<RankedTensorType>(init.getType()).getRank();
  auto all = llvm::to_vector(llvm::seq<unsigned>(0, rank));
  SmallVector<SmallVector<unsigned>> maps(inputs.size(), all);
  return generic(inputs, maps, init, all, rank, payload);
}

Value BodyBuilder::row(Value source, ArrayRef<OpFoldResult> leading) {
  auto type = cast<RankedTensorType>(source.getType());
  SmallVector<OpFoldResult> offsets(type.getRank(), b.getIndexAttr(0)), all = sizes(source);
  SmallVector<OpFoldResult> strides(type.getRank(), b.getIndexAttr(1));
  for (auto [dimension, offset] : llvm::enumerate(leading)) {
    offsets[dimension] = offset;
    all[dimension] = b.getIndexAttr(1);
  }
  auto reduced = RankedTensorType::get(type.getShape().drop_front(leading.size()), type.getElementType());
  return tensor::ExtractSliceOp::create(b, loc, reduced, source, offsets, all, strides);
}

} // namespace kimi::kernel
