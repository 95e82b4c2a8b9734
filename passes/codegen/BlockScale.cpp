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
  FactorFinder(linalg::GenericOp op, BlockFactor &found) : op(op), found(found) {}

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
    if (!llvm::is_contained(found.ops, inner))
      found.ops.push_back(inner); // operands come before their reader
    return true;
  }

private:
  linalg::GenericOp op;
  BlockFactor &found;
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

/// The factor of one side of a term, and the size of its blocks over `loop`.
std::optional<std::pair<BlockFactor, int64_t>> factorOfSide(linalg::GenericOp op, Value side, unsigned loop) {
  auto product = side.getDefiningOp<arith::MulFOp>();
  if (!product || !product->hasOneUse())
    return std::nullopt;
  for (auto [factor, unscaled] : {std::pair(product.getRhs(), product.getLhs()),
                                  std::pair(product.getLhs(), product.getRhs())}) {
    BlockFactor found{nullptr, {}, factor, product, unscaled};
    if (!FactorFinder(op, found).find(factor) || !found.operand)
      continue;
    if (auto size = blockSizeOf(op.getMatchingIndexingMap(found.operand), loop))
      return std::pair(found, *size);
  }
  return std::nullopt;
}

} // namespace

bool BlockScale::makesFactor(Operation *inner) const {
  return llvm::any_of(factors, [&](const BlockFactor &factor) { return llvm::is_contained(factor.ops, inner); });
}

bool BlockScale::isOperand(OpOperand *operand) const {
  return llvm::any_of(factors, [&](const BlockFactor &factor) { return factor.operand == operand; });
}

const BlockFactor *BlockScale::factorOf(Operation *inner) const {
  auto found = llvm::find_if(factors, [&](const BlockFactor &factor) { return factor.product == inner; });
  return found == factors.end() ? nullptr : &*found;
}

std::optional<BlockScale> findBlockScale(linalg::GenericOp op) {
  SmallVector<unsigned> reductions;
  op.getReductionDims(reductions);
  auto sum = op.getNumDpsInits() == 1 ? dyn_cast_or_null<math::FmaOp>(combinerOf(op, 0)) : math::FmaOp();
  if (!sum || reductions.size() != 1)
    return std::nullopt;
  BlockScale scale{reductions[0], 0, {}};
  for (Value side : {sum.getB(), sum.getA()})
    if (auto found = factorOfSide(op, side, scale.loop); found && (scale.size == 0 || found->second == scale.size)) {
      scale.size = found->second;
      scale.factors.push_back(found->first);
    }
  return scale.factors.empty() ? std::nullopt : std::optional(scale);
}

} // namespace kimi::passes
