// kernel.dequantise: its verifier, its slices, and its body.
#include "dialects/kernel/BodyBuilder.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "mlir/Interfaces/ValueBoundsOpInterface.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace kimi::kernel;

namespace {

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }
int64_t ceilDiv(int64_t value, int64_t divisor) { return value < 0 ? value : llvm::divideCeil(value, divisor); }

/// How dimensions of the result index codes and scales.
struct Geometry {
  explicit Geometry(DequantiseOp op)
      : rank(typeOf(op.getResult()).getRank()), row(rank - (op.getPanels() ? 3 : 2)), column(row + 1),
        isPaired(typeOf(op.getCodes()).getElementType().isInteger(8)), hasRowScales(op.hasRowScales()),
        // A row of the result is a panel of them.
        rowBlock(op.getPanels() && !op.hasRowScales() ? op.getBlockRows() / kPanelWidth : op.getBlockRows()),
        columnBlock(op.getBlockColumns()), scaleRank(op.getPanels() && op.hasRowScales() ? rank : column + 1) {}

  int64_t rank, row, column;
  bool isPaired, hasRowScales;
  int64_t rowBlock, columnBlock, scaleRank;

  SmallVector<int64_t> codeShape(ArrayRef<int64_t> result) const {
    SmallVector<int64_t> shape(result);
    if (isPaired)
      shape[column] = ceilDiv(shape[column], 2);
    return shape;
  }
  SmallVector<int64_t> scaleShape(ArrayRef<int64_t> result) const {
    SmallVector<int64_t> shape(result.take_front(scaleRank));
    shape[column] = ceilDiv(shape[column], columnBlock);
    shape[row] = ceilDiv(shape[row], rowBlock);
    return shape;
  }
};

/// A number that divides `value` whenever the code runs: a constant itself, the step of a loop, a known multiple.
int64_t knownDivisor(OpFoldResult value) {
  if (auto constant = getConstantIntValue(value))
    return *constant;
  auto argument = dyn_cast<BlockArgument>(cast<Value>(value));
  if (auto forall = argument ? dyn_cast<scf::ForallOp>(argument.getOwner()->getParentOp()) : scf::ForallOp())
    if (argument.getArgNumber() < forall.getRank())
      if (getConstantIntValue(forall.getMixedLowerBound()[argument.getArgNumber()]) == 0)
        return getConstantIntValue(forall.getMixedStep()[argument.getArgNumber()]).value_or(1);
  if (auto apply = cast<Value>(value).getDefiningOp<affine::AffineApplyOp>())
    return apply.getAffineMap().getLargestKnownDivisorOfMapExprs();
  return 1;
}

std::optional<int64_t> knownBound(OpFoldResult size) {
  if (auto constant = getConstantIntValue(size))
    return constant;
  FailureOr<int64_t> bound = ValueBoundsConstraintSet::computeConstantBound(
      presburger::BoundType::UB, cast<Value>(size), nullptr, /*closedUB=*/true);
  return succeeded(bound) ? std::optional(*bound) : std::nullopt;
}

/// Rows [offset, offset + size) can be counted from 0 within the slice of their scales.
bool keepsBlocks(OpFoldResult offset, OpFoldResult size, int64_t block) {
  int64_t divisor = knownDivisor(offset);
  if (divisor % block == 0)
    return true;
  std::optional<int64_t> bound = knownBound(size);
  return bound && block % divisor == 0 && *bound <= divisor;
}

/// floor(value / divisor), or with `isSize` its ceiling.
OpFoldResult quotient(OpBuilder &builder, Location loc, OpFoldResult value, int64_t divisor, bool isSize) {
  if (divisor == 1)
    return value;
  AffineExpr d0 = builder.getAffineDimExpr(0);
  return affine::makeComposedFoldedAffineApply(builder, loc, isSize ? d0.ceilDiv(divisor) : d0.floorDiv(divisor),
                                               {value});
}

/// What of an operand a slice of the result needs.
struct Part {
  SmallVector<OpFoldResult> offsets, sizes;

  void divide(OpBuilder &builder, Location loc, int64_t dim, int64_t divisor) {
    offsets[dim] = quotient(builder, loc, offsets[dim], divisor, false);
    sizes[dim] = quotient(builder, loc, sizes[dim], divisor, true);
  }

  Value take(OpBuilder &builder, Location loc, Value source, const llvm::SmallBitVector &dropped) {
    SmallVector<int64_t> shape;
    for (auto [dim, size] : llvm::enumerate(sizes))
      if (!dropped.test(dim))
        shape.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
    SmallVector<OpFoldResult> strides(offsets.size(), builder.getIndexAttr(1));
    auto type = RankedTensorType::get(shape, typeOf(source).getElementType());
    return tensor::ExtractSliceOp::create(builder, loc, type, source, offsets, sizes, strides);
  }
};

/// Indexing maps of codes, scales and result over the dimensions of the result.
SmallVector<AffineMap> indexingMaps(const Geometry &geometry, MLIRContext *context) {
  SmallVector<AffineExpr> codes, scales, result;
  for (int64_t dim = 0; dim < geometry.rank; ++dim) {
    AffineExpr expr = getAffineDimExpr(dim, context);
    result.push_back(expr);
    codes.push_back(geometry.isPaired && dim == geometry.column ? expr.floorDiv(2) : expr);
    if (dim < geometry.scaleRank)
      scales.push_back(dim == geometry.row      ? expr.floorDiv(geometry.rowBlock)
                       : dim == geometry.column ? expr.floorDiv(geometry.columnBlock)
                                                : expr);
  }
  auto map = [&](ArrayRef<AffineExpr> exprs) { return AffineMap::get(geometry.rank, 0, exprs, context); };
  return {map(codes), map(scales), map(result)};
}

/// The number of a nibble: even columns lie in the low half of their byte.
Value unpack(BodyBuilder &p, Value byte, int64_t column) {
  Value index = linalg::IndexOp::create(p.b, p.loc, column);
  AffineExpr d0 = p.b.getAffineDimExpr(0);
  Value bits = affine::AffineApplyOp::create(p.b, p.loc, AffineMap::get(1, 0, (d0 % 2) * 4), index);
  Type i8 = p.b.getI8Type();
  auto constant = [&](int64_t value) { return arith::ConstantOp::create(p.b, p.loc, p.b.getI8IntegerAttr(value)); };
  Value shifted = arith::ShRUIOp::create(p.b, p.loc, byte, arith::IndexCastOp::create(p.b, p.loc, i8, bits));
  Value nibble = arith::AndIOp::create(p.b, p.loc, shifted, constant(15));
  Value code = arith::SubIOp::create(p.b, p.loc, nibble, constant(8));
  return arith::SIToFPOp::create(p.b, p.loc, p.b.getF32Type(), code);
}

} // namespace

LogicalResult DequantiseOp::verify() {
  RankedTensorType codes = typeOf(getCodes()), scales = typeOf(getScales()), result = typeOf(getResult());
  if (!result.getElementType().isF32()) // C1
    return emitOpError() << "gives " << result << " but computes in f32";
  if (result.getRank() < (getPanels() ? 3 : 2) || getBlockRows() < 1 || getBlockColumns() < 1) // C2
    return emitOpError() << "gives " << result << " in blocks of " << getBlockRows() << " x " << getBlockColumns()
                         << ": it needs rows, columns and positive blocks";
  if (getPanels() && !hasRowScales() && getBlockRows() % kPanelWidth != 0) // C4
    return emitOpError() << "reads panels of " << kPanelWidth << " rows in blocks of " << getBlockRows()
                         << ": a panel needs one row of scales";
  Geometry geometry(*this);
  Type code = codes.getElementType();
  bool isCode = isa<Float8E4M3FNType>(code) || code.isInteger(8) || (code.isInteger(4) && !getPanels());
  if (!isCode || codes.getShape() != ArrayRef(geometry.codeShape(result.getShape()))) // C2
    return emitOpError() << "gives " << result << " but codes are " << codes;
  auto wanted = RankedTensorType::get(geometry.scaleShape(result.getShape()), scales.getElementType());
  if (wanted != scales || !isa<FloatType>(scales.getElementType())) // C3
    return emitOpError() << "in blocks of " << getBlockRows() << " x " << getBlockColumns() << " needs scales "
                         << wanted << " but has " << scales;
  return success();
}

FailureOr<DequantiseOp> DequantiseOp::sliced(OpBuilder &builder, tensor::ExtractSliceOp slice) {
  Geometry geometry(*this);
  Location loc = slice.getLoc();
  Part part{slice.getMixedOffsets(), slice.getMixedSizes()};
  int64_t numColumns = typeOf(getResult()).getDimSize(geometry.column);
  if (getConstantIntValue(part.sizes[geometry.column]) != numColumns || !slice.hasUnitStride())
    return emitOpError() << "is read in part along its " << numColumns << " columns: a tile holds whole sums";
  if (!keepsBlocks(part.offsets[geometry.row], part.sizes[geometry.row], geometry.rowBlock))
    return emitOpError() << "has one scale for " << getBlockRows() << " rows, and a tile that cuts them unevenly: "
                         << "choose a tile of columns that divides " << getBlockRows() << ", or is a multiple";
  llvm::SmallBitVector dropped = slice.getDroppedDims();
  Part codes = part, scales = part;
  if (geometry.isPaired)
    codes.divide(builder, loc, geometry.column, 2);
  scales.divide(builder, loc, geometry.column, geometry.columnBlock);
  scales.divide(builder, loc, geometry.row, geometry.rowBlock);
  scales.offsets.truncate(geometry.scaleRank);
  scales.sizes.truncate(geometry.scaleRank);
  Value codeTile = codes.take(builder, loc, getCodes(), dropped);
  Value scaleTile = scales.take(builder, loc, getScales(), dropped);
  return DequantiseOp::create(builder, loc, slice.getType(), codeTile, scaleTile, getBlockRowsAttr(),
                              getBlockColumnsAttr(), getPanelsAttr());
}

linalg::GenericOp DequantiseOp::buildGeneric(OpBuilder &builder) {
  BodyBuilder body(builder, getLoc());
  Geometry geometry(*this);
  SmallVector<OpFoldResult> sizes = body.sizes(getCodes());
  sizes[geometry.column] = builder.getIndexAttr(typeOf(getResult()).getDimSize(geometry.column));
  Value init = body.empty(sizes, builder.getF32Type());
  SmallVector<utils::IteratorType> iterators(geometry.rank, utils::IteratorType::parallel);
  return linalg::GenericOp::create(
      builder, getLoc(), TypeRange(getResult().getType()), ValueRange{getCodes(), getScales()}, ValueRange(init),
      indexingMaps(geometry, getContext()), iterators, [&](OpBuilder &nested, Location loc, ValueRange v) {
        BodyBuilder p(nested, loc);
        Value code = geometry.isPaired ? unpack(p, v[0], geometry.column) : p.widen(v[0]);
        linalg::YieldOp::create(nested, loc, arith::MulFOp::create(nested, loc, code, p.widen(v[1])).getResult());
      });
}
