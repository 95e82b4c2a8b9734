#include "passes/codegen/LoopPositions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace kimi::passes {

std::optional<AffineExpr> exprOverLoops(affine::AffineApplyOp apply) {
  SmallVector<AffineExpr> dims, symbols;
  for (auto [number, operand] : llvm::enumerate(apply.getMapOperands())) {
    auto index = operand.getDefiningOp<linalg::IndexOp>();
    if (!index)
      return std::nullopt;
    auto &list = number < apply.getAffineMap().getNumDims() ? dims : symbols;
    list.push_back(getAffineDimExpr(index.getDim(), apply.getContext()));
  }
  return apply.getAffineMap().getResult(0).replaceDimsAndSymbols(dims, symbols);
}

/// (loop, size) of `loop floordiv size` or `loop mod size`.
static std::optional<std::pair<unsigned, int64_t>> blockOf(AffineExpr expr) {
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary || (expr.getKind() != AffineExprKind::FloorDiv && expr.getKind() != AffineExprKind::Mod))
    return std::nullopt;
  auto dim = dyn_cast<AffineDimExpr>(binary.getLHS());
  auto size = dyn_cast<AffineConstantExpr>(binary.getRHS());
  if (!dim || !size)
    return std::nullopt;
  return std::pair(dim.getPosition(), size.getValue());
}

LoopPositions::LoopPositions(linalg::GenericOp op) : blocks(op.getNumLoops()) {
  for (AffineMap map : op.getIndexingMapsArray())
    for (AffineExpr expr : map.getResults())
      collect(expr);
  for (auto apply : op.getBody()->getOps<affine::AffineApplyOp>())
    if (std::optional<AffineExpr> expr = exprOverLoops(apply))
      collect(*expr);
  for (SmallVector<int64_t, 2> &sizes : blocks) {
    llvm::sort(sizes, std::greater<>());
    sizes.erase(llvm::unique(sizes), sizes.end());
  }
}

void LoopPositions::collect(AffineExpr expr) {
  expr.walk([&](AffineExpr part) {
    if (auto block = blockOf(part))
      blocks[block->first].push_back(block->second);
  });
}

Value LoopPositions::evaluate(OpBuilder &builder, Location loc, AffineExpr expr,
                              llvm::function_ref<Value(unsigned)> indexOf) {
  auto constant = [&](int64_t value) { return arith::ConstantIndexOp::create(builder, loc, value); };
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return indexOf(dim.getPosition());
  if (auto number = dyn_cast<AffineConstantExpr>(expr))
    return constant(number.getValue());
  auto binary = cast<AffineBinaryOpExpr>(expr);
  bool isMod = expr.getKind() == AffineExprKind::Mod;
  if (auto block = blockOf(expr)) {
    if (auto known = remainders.find(*block); isMod && known != remainders.end())
      return constant(known->second);
    if (auto first = firsts.find(*block); !isMod && first != firsts.end())
      return arith::DivUIOp::create(builder, loc, first->second, constant(block->second));
  }
  Value left = evaluate(builder, loc, binary.getLHS(), indexOf), right = evaluate(builder, loc, binary.getRHS(), indexOf);
  switch (expr.getKind()) { // indices are not negative
  case AffineExprKind::Add:
    return arith::AddIOp::create(builder, loc, left, right);
  case AffineExprKind::Mul:
    return arith::MulIOp::create(builder, loc, left, right);
  case AffineExprKind::FloorDiv:
    return arith::DivUIOp::create(builder, loc, left, right);
  case AffineExprKind::Mod:
    return arith::RemUIOp::create(builder, loc, left, right);
  default:
    return arith::CeilDivUIOp::create(builder, loc, left, right);
  }
}

} // namespace kimi::passes
