#include "passes/codegen/VectorLoads.h"

#include "passes/codegen/ThreadLoops.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace kimi::passes {

namespace {

constexpr int64_t kLoadBytes = 16; // the widest load of a thread
constexpr int64_t kMaxChunk = 16;

int64_t bytesOf(Value memref) {
  return std::max<int64_t>(1, cast<MemRefType>(memref.getType()).getElementTypeBitWidth() / 8);
}

/// `loop` as an operand's last index, or its quotient by a constant: indices per element.
std::optional<int64_t> divisorOf(AffineExpr expr, unsigned loop) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return dim.getPosition() == loop ? std::optional<int64_t>(1) : std::nullopt;
  auto quotient = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!quotient || expr.getKind() != AffineExprKind::FloorDiv)
    return std::nullopt;
  auto dim = dyn_cast<AffineDimExpr>(quotient.getLHS());
  auto divisor = dyn_cast<AffineConstantExpr>(quotient.getRHS());
  return dim && divisor && dim.getPosition() == loop ? std::optional<int64_t>(divisor.getValue()) : std::nullopt;
}

/// Whether every row of `memref` begins at a multiple of `elements` elements. Buffers themselves begin at multiples of 64
/// bytes, as the runtime and kimi-use-shared-memory place them.
bool rowsAreAligned(Value memref, int64_t elements) {
  auto type = cast<MemRefType>(memref.getType());
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(type.getStridesAndOffset(strides, offset)) || strides.empty() || strides.back() != 1)
    return false;
  for (int64_t stride : ArrayRef(strides).drop_back())
    if (ShapedType::isDynamic(stride) || stride % elements != 0)
      return false;
  if (auto view = memref.getDefiningOp<memref::ViewOp>())
    return isConstantIntValue(view.getByteShift(), 0);
  if (isa<BlockArgument>(memref) || memref.getDefiningOp<memref::AllocOp>())
    return true;
  if (auto cast = memref.getDefiningOp<memref::CastOp>())
    return rowsAreAligned(cast.getSource(), elements);
  if (auto expand = memref.getDefiningOp<memref::ExpandShapeOp>())
    return rowsAreAligned(expand.getSrc(), elements);
  if (auto collapse = memref.getDefiningOp<memref::CollapseShapeOp>())
    return rowsAreAligned(collapse.getSrc(), elements);
  auto subview = memref.getDefiningOp<memref::SubViewOp>();
  if (!subview || !rowsAreAligned(subview.getSource(), elements))
    return false;
  auto first = getConstantIntValue(subview.getMixedOffsets().back());
  return first && *first % elements == 0;
}

} // namespace

int64_t chunkOf(linalg::GenericOp op, unsigned loop) {
  int64_t size = op.getStaticLoopRanges()[loop], chunk = 1;
  if (ShapedType::isDynamic(size))
    return 1;
  for (OpOperand *input : op.getDpsInputOperands())
    if (AffineMap map = op.getMatchingIndexingMap(input); map.getNumResults() && isa<MemRefType>(input->get().getType()))
      if (auto divisor = divisorOf(map.getResults().back(), loop); divisor && *divisor <= kMaxChunk)
        chunk = std::max(chunk, *divisor * kLoadBytes / bytesOf(input->get()));
  chunk = std::min(chunk, kMaxChunk);
  while (chunk > 1 && size / chunk < kWarpThreads) // rather all lanes than wide loads
    chunk /= 2;
  return size % chunk == 0 ? chunk : 1;
}

AlongLoop alongLoop(linalg::GenericOp op, OpOperand &operand, unsigned loop, int64_t chunk) {
  AffineMap map = op.getMatchingIndexingMap(&operand);
  if (!map.isFunctionOfDim(loop) || !isa<MemRefType>(operand.get().getType()))
    return {AlongLoop::Same};
  for (AffineExpr expr : map.getResults().drop_back())
    if (expr.isFunctionOfDim(loop))
      return {AlongLoop::Each};
  auto divisor = divisorOf(map.getResults().back(), loop);
  if (!divisor)
    return {AlongLoop::Each};
  if (*divisor % chunk == 0)
    return {AlongLoop::Same};
  int64_t elements = chunk / *divisor;
  int64_t aligned = std::min(elements, kLoadBytes / bytesOf(operand.get()));
  if (chunk % *divisor != 0 || elements < 2 || !rowsAreAligned(operand.get(), aligned))
    return {AlongLoop::Each};
  return {AlongLoop::Vector, *divisor};
}

} // namespace kimi::passes
