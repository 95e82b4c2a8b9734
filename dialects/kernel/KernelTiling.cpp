// TilingInterface of the structured operations whose tiles are tiles of their result.
#include "dialects/kernel/Kernel.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace kimi::kernel;

namespace {

SmallVector<Range> domainOfResult(OpBuilder &builder, Operation *op, Value shapeSource) {
  SmallVector<Range> domain;
  for (OpFoldResult size : tensor::getMixedSizes(builder, op->getLoc(), shapeSource))
    domain.push_back({builder.getIndexAttr(0), size, builder.getIndexAttr(1)});
  return domain;
}

SmallVector<utils::IteratorType> allParallel(Value result) {
  return SmallVector<utils::IteratorType>(cast<RankedTensorType>(result.getType()).getRank(),
                                          utils::IteratorType::parallel);
}

Value sliceOf(OpBuilder &builder, Location loc, Value source, ArrayRef<OpFoldResult> offsets,
              ArrayRef<OpFoldResult> sizes, SmallVector<Operation *> &slices) {
  SmallVector<OpFoldResult> strides(offsets.size(), builder.getIndexAttr(1));
  auto slice = tensor::ExtractSliceOp::create(builder, loc, source, offsets, sizes, strides);
  slices.push_back(slice);
  return slice;
}

/// Slices `source` in dimension `dim` only, whole elsewhere.
Value sliceDim(OpBuilder &builder, Location loc, Value source, int64_t dim, OpFoldResult offset, OpFoldResult size,
               SmallVector<Operation *> &slices) {
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, source);
  SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0));
  offsets[dim] = offset;
  sizes[dim] = size;
  return sliceOf(builder, loc, source, offsets, sizes, slices);
}

/// The loops of these operations are the dimensions of their result: a tile of one is a tile of the other.
LogicalResult sameTile(ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult> sizes,
                       SmallVectorImpl<OpFoldResult> &otherOffsets, SmallVectorImpl<OpFoldResult> &otherSizes) {
  otherOffsets.assign(offsets.begin(), offsets.end());
  otherSizes.assign(sizes.begin(), sizes.end());
  return success();
}

} // namespace

//===- grouped_matmul: dimensions (row, column) or (row, panel, lane) -----------------------------------------===//

SmallVector<utils::IteratorType> GroupedMatmulOp::getLoopIteratorTypes() { return allParallel(getResult()); }

SmallVector<Range> GroupedMatmulOp::getIterationDomain(OpBuilder &builder) {
  return domainOfResult(builder, *this, getInit());
}

FailureOr<TilingResult> GroupedMatmulOp::getTiledImplementation(OpBuilder &builder, ArrayRef<OpFoldResult> offsets,
                                                                ArrayRef<OpFoldResult> sizes) {
  Location loc = getLoc();
  SmallVector<Operation *> slices;
  Value rows = getRows(), x = getX();
  if (rows)
    rows = sliceDim(builder, loc, rows, 0, offsets[0], sizes[0], slices);
  else
    x = sliceDim(builder, loc, x, 0, offsets[0], sizes[0], slices);
  Value first = arith::AddIOp::create(builder, loc, getFirstRow(),
                                      getValueOrCreateConstantIndexOp(builder, loc, offsets[0]));
  Value weight = sliceDim(builder, loc, getWeight(), 1, offsets[1], sizes[1], slices);
  Value init = sliceOf(builder, loc, getInit(), offsets, sizes, slices);
  auto tiled = GroupedMatmulOp::create(builder, loc, init.getType(), x, rows, first, getOffsets(), weight, init);
  return TilingResult{{tiled}, {tiled.getResult()}, slices};
}

LogicalResult GroupedMatmulOp::getResultTilePosition(OpBuilder &, unsigned, ArrayRef<OpFoldResult> offsets,
                                                     ArrayRef<OpFoldResult> sizes,
                                                     SmallVector<OpFoldResult> &resultOffsets,
                                                     SmallVector<OpFoldResult> &resultSizes) {
  return sameTile(offsets, sizes, resultOffsets, resultSizes);
}

LogicalResult GroupedMatmulOp::getIterationDomainTileFromResultTile(OpBuilder &builder, unsigned number,
                                                                    ArrayRef<OpFoldResult> offsets,
                                                                    ArrayRef<OpFoldResult> sizes,
                                                                    SmallVectorImpl<OpFoldResult> &domainOffsets,
                                                                    SmallVectorImpl<OpFoldResult> &domainSizes) {
  return sameTile(offsets, sizes, domainOffsets, domainSizes);
}

FailureOr<TilingResult> GroupedMatmulOp::generateResultTileValue(OpBuilder &builder, unsigned,
                                                                 ArrayRef<OpFoldResult> offsets,
                                                                 ArrayRef<OpFoldResult> sizes) {
  return getTiledImplementation(builder, offsets, sizes);
}

//===- group_top_k: dimensions (row, rank); only rows can be tiled ---------------------------------------------===//

SmallVector<utils::IteratorType> GroupTopKOp::getLoopIteratorTypes() { return allParallel(getResult()); }

SmallVector<Range> GroupTopKOp::getIterationDomain(OpBuilder &builder) {
  return domainOfResult(builder, *this, getInit());
}

FailureOr<TilingResult> GroupTopKOp::getTiledImplementation(OpBuilder &builder, ArrayRef<OpFoldResult> offsets,
                                                            ArrayRef<OpFoldResult> sizes) {
  auto type = cast<RankedTensorType>(getResult().getType());
  if (!isConstantIntValue(offsets[1], 0) || !isConstantIntValue(sizes[1], type.getDimSize(1)))
    return emitOpError() << "can be tiled by rows only";
  SmallVector<Operation *> slices;
  Value scores = sliceDim(builder, getLoc(), getScores(), 0, offsets[0], sizes[0], slices);
  Value init = sliceOf(builder, getLoc(), getInit(), offsets, sizes, slices);
  auto tiled = GroupTopKOp::create(builder, getLoc(), init.getType(), scores, getGroups(), getKeptGroups(), init);
  return TilingResult{{tiled}, {tiled.getResult()}, slices};
}

LogicalResult GroupTopKOp::getResultTilePosition(OpBuilder &, unsigned, ArrayRef<OpFoldResult> offsets,
                                                 ArrayRef<OpFoldResult> sizes,
                                                 SmallVector<OpFoldResult> &resultOffsets,
                                                 SmallVector<OpFoldResult> &resultSizes) {
  return sameTile(offsets, sizes, resultOffsets, resultSizes);
}

LogicalResult GroupTopKOp::getIterationDomainTileFromResultTile(OpBuilder &builder, unsigned number,
                                                                ArrayRef<OpFoldResult> offsets,
                                                                ArrayRef<OpFoldResult> sizes,
                                                                SmallVectorImpl<OpFoldResult> &domainOffsets,
                                                                SmallVectorImpl<OpFoldResult> &domainSizes) {
  return sameTile(offsets, sizes, domainOffsets, domainSizes);
}

FailureOr<TilingResult> GroupTopKOp::generateResultTileValue(OpBuilder &builder, unsigned,
                                                             ArrayRef<OpFoldResult> offsets,
                                                             ArrayRef<OpFoldResult> sizes) {
  return getTiledImplementation(builder, offsets, sizes);
}
