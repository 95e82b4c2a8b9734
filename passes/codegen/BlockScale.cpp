#include "passes/codegen/BlockScale.h"

#include "passes/codegen/LanePlan.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace kimi::passes {

namespace {

/// What `value` is made of inside the body of `op`: one input and elementwise operations on it.
class FactorFinder {
public:
  FactorFinder(linalg::GenericOp op, BlockScale &found) : op(op), found(found) {}

  bool find(Value value) {
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      if (argument.getArgNumber() >= op.getNumDpsInputs())
        return false;
      OpOperand *operand = op.getDpsInputOperand(argument.getArgNumber());
      bool isOther = found.operand && found.operand != operand;
      found.operand = operand;
      return !isOther;
    }
    Operation *inner = value.getDefiningOp();
    if (inner->getBlock() != op.getBody())
      return inner->hasTrait<OpTrait::ConstantLike>();
    if (!OpTrait::hasElementwiseMappableTraits(inner) && !inner->hasTrait<OpTrait::ConstantLike>())
      return false;
    for (Value operand : inner->getOperands())
      if (!find(operand))
        return false;
    if (!found.makesFactor(inner))
      found.factorOps.push_back(inner); // operands come before their reader
    return true;
  }

private:
  linalg::GenericOp op;
  BlockScale &found;
};

/// The size of the blocks by which `map` indexes `loop`; nothing where it indexes elements, or not at all.
std::optional<int64_t> blockSizeOf(AffineMap map, unsigned loop) {
  std::optional<int64_t> size;
  for (AffineExpr expr : map.getResults()) {
    if (!expr.isFunctionOfDim(loop))
      continue;
    auto quotient = dyn_cast<AffineBinaryOpExpr>(expr);
    if (size || !quotient || expr.getKind() != AffineExprKind::FloorDiv || !isa<AffineDimExpr>(quotient.getLHS()) ||
        !isa<AffineConstantExpr>(quotient.getRHS()))
      return std::nullopt;
    size = cast<AffineConstantExpr>(quotient.getRHS()).getValue();
  }
  return size;
}

} // namespace

std::optional<BlockScale> findBlockScale(linalg::GenericOp op) {
  SmallVector<unsigned> reductions;
  op.getReductionDims(reductions);
  auto sum = op.getNumDpsInits() == 1 ? dyn_cast_or_null<math::FmaOp>(combinerOf(op, 0)) : math::FmaOp();
  if (!sum || reductions.size() != 1)
    return std::nullopt;
  for (Value term : {sum.getA(), sum.getB()}) {
    auto product = term.getDefiningOp<arith::MulFOp>();
    if (!product || !product->hasOneUse())
      continue;
    for (auto [factor, unscaled] : {std::pair(product.getRhs(), product.getLhs()),
                                    std::pair(product.getLhs(), product.getRhs())}) {
      BlockScale found{reductions[0], 0, nullptr, {}, factor, product, unscaled};
      if (!FactorFinder(op, found).find(factor) || !found.operand)
        continue;
      if (auto size = blockSizeOf(op.getMatchingIndexingMap(found.operand), found.loop)) {
        found.size = *size;
        return found;
      }
    }
  }
  return std::nullopt;
}

} // namespace kimi::passes
