#include "passes/codegen/LanePlan.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/DenseSet.h"

using namespace mlir;

namespace kimi::passes {

bool isLoopIndex(Value value, unsigned loop) {
  auto index = value.getDefiningOp<linalg::IndexOp>();
  return index && index.getDim() == loop;
}

bool variesOverLanes(AffineMap map, unsigned loop) {
  return llvm::any_of(map.getResults(), [&](AffineExpr expr) {
    if (!expr.isFunctionOfDim(loop))
      return false;
    auto quotient = dyn_cast<AffineBinaryOpExpr>(expr);
    bool isBlock = quotient && expr.getKind() == AffineExprKind::FloorDiv && isa<AffineDimExpr>(quotient.getLHS()) &&
                   isa<AffineConstantExpr>(quotient.getRHS()) &&
                   cast<AffineConstantExpr>(quotient.getRHS()).getValue() % kLanes == 0;
    return !isBlock;
  });
}

Operation *combinerOf(linalg::GenericOp op, unsigned index) {
  Block *body = op.getBody();
  Value accumulator = op.getRegionOutputArgs()[index];
  Operation *combiner = body->getTerminator()->getOperand(index).getDefiningOp();
  if (!combiner || !accumulator.hasOneUse() || *accumulator.user_begin() != combiner)
    return nullptr;
  if (auto fma = dyn_cast<math::FmaOp>(combiner))
    return fma.getC() == accumulator ? combiner : nullptr;
  return combiner->getNumOperands() == 2 && arith::getNeutralElement(combiner) ? combiner : nullptr;
}

namespace {

bool lastStrideIsOne(Value memref) {
  auto type = dyn_cast<MemRefType>(memref.getType());
  if (!type || type.getRank() == 0)
    return false;
  SmallVector<int64_t> strides;
  int64_t offset;
  return succeeded(type.getStridesAndOffset(strides, offset)) && strides.back() == 1;
}

/// `loop` appears in no operand, or as its last and contiguous index.
bool isContiguousOrAbsent(linalg::GenericOp op, unsigned loop) {
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    if (!variesOverLanes(map, loop))
      continue;
    ArrayRef<AffineExpr> indices = map.getResults();
    for (AffineExpr index : indices.drop_back())
      if (index.isFunctionOfDim(loop))
        return false;
    auto last = dyn_cast<AffineDimExpr>(indices.back());
    if (!last || last.getPosition() != loop || !lastStrideIsOne(operand.get()))
      return false;
  }
  return true;
}

/// A load inside the payload may vary over lanes only in a last index that is the lane loop itself.
bool canLoadLanes(memref::LoadOp load, unsigned loop, const llvm::DenseSet<Value> &varying) {
  ValueRange indices = load.getIndices();
  if (indices.empty())
    return true;
  for (Value index : indices.drop_back())
    if (varying.contains(index))
      return false;
  return !varying.contains(indices.back()) || (isLoopIndex(indices.back(), loop) && lastStrideIsOne(load.getMemref()));
}

/// Whether every operation that varies over lanes has a vector form.
bool payloadHasVectorForm(linalg::GenericOp op, unsigned loop) {
  llvm::DenseSet<Value> varying;
  for (OpOperand &operand : op->getOpOperands())
    if (variesOverLanes(op.getMatchingIndexingMap(&operand), loop) || op.isDpsInit(&operand))
      varying.insert(op.getMatchingBlockArgument(&operand));
  for (Operation &inner : op.getBody()->without_terminator()) {
    bool varies = isa<linalg::IndexOp>(inner) && cast<linalg::IndexOp>(inner).getDim() == loop;
    varies |= llvm::any_of(inner.getOperands(), [&](Value v) { return varying.contains(v); });
    if (auto load = dyn_cast<memref::LoadOp>(inner)) {
      if (!canLoadLanes(load, loop, varying))
        return false;
    } else if (varies && !isa<linalg::IndexOp>(inner) && !OpTrait::hasElementwiseMappableTraits(&inner)) {
      return false;
    }
    if (varies)
      varying.insert(inner.result_begin(), inner.result_end());
  }
  return true;
}

bool isLongEnough(linalg::GenericOp op, unsigned loop) {
  int64_t size = op.getStaticLoopRanges()[loop];
  return size == ShapedType::kDynamic || size >= kLanes;
}

std::optional<unsigned> parallelLaneLoop(linalg::GenericOp op) {
  std::optional<unsigned> loop;
  for (OpOperand &init : op.getDpsInitsMutable()) {
    AffineMap map = op.getMatchingIndexingMap(&init);
    if (map.getNumResults() == 0)
      return std::nullopt;
    auto last = dyn_cast<AffineDimExpr>(map.getResults().back());
    if (!last || (loop && *loop != last.getPosition()))
      return std::nullopt;
    loop = last.getPosition();
  }
  return loop;
}

std::optional<unsigned> reductionLaneLoop(linalg::GenericOp op) {
  SmallVector<unsigned> reductions;
  op.getReductionDims(reductions);
  if (reductions.size() != 1)
    return std::nullopt;
  for (unsigned index = 0; index < op.getNumDpsInits(); ++index)
    if (!combinerOf(op, index))
      return std::nullopt;
  return reductions[0];
}

} // namespace

LanePlan planLanes(linalg::GenericOp op) {
  auto fits = [&](std::optional<unsigned> loop) {
    return loop && isLongEnough(op, *loop) && isContiguousOrAbsent(op, *loop) && payloadHasVectorForm(op, *loop);
  };
  if (auto loop = parallelLaneLoop(op); fits(loop))
    return {LaneUse::Parallel, *loop};
  if (auto loop = reductionLaneLoop(op); fits(loop))
    return {LaneUse::Reduction, *loop};
  return {};
}

} // namespace kimi::passes
