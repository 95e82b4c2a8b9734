#include "passes/select/PanelRewrite.h"

#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using namespace kimi::kernel;

namespace kimi::passes {

namespace {

/// The loops of the last two sizes of operand `index`: (n parallel, k reduction), or nothing.
std::optional<std::pair<unsigned, unsigned>> transposedFactor(linalg::GenericOp op, unsigned operandNumber) {
  AffineMap map = op.getIndexingMapsArray()[operandNumber];
  if (!map.isProjectedPermutation() || map.getNumResults() < 2 || op.getNumDpsInits() != 1)
    return std::nullopt;
  unsigned n = map.getDimPosition(map.getNumResults() - 2), k = map.getDimPosition(map.getNumResults() - 1);
  auto iterators = op.getIteratorTypesArray();
  AffineMap out = op.getIndexingMapsArray().back();
  bool columnIsLast = out.getNumResults() > 0 && out.isProjectedPermutation() &&
                      out.getDimPosition(out.getNumResults() - 1) == n;
  if (!linalg::isParallelIterator(iterators[n]) || !linalg::isReductionIterator(iterators[k]) || !columnIsLast)
    return std::nullopt;
  for (auto [number, other] : llvm::enumerate(op.getIndexingMapsArray()))
    if (number != operandNumber && number + 1 != op.getIndexingMapsArray().size() && other.isFunctionOfDim(n))
      return std::nullopt;
  if (op.hasIndexSemantics())
    return std::nullopt;
  return std::pair(n, k);
}

Value expandLast(OpBuilder &builder, Location loc, Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<int64_t> shape(type.getShape());
  int64_t columns = shape.pop_back_val();
  shape.append({columns / kPanelWidth, kPanelWidth});
  SmallVector<ReassociationIndices> groups;
  for (int64_t dimension = 0; dimension < type.getRank() - 1; ++dimension)
    groups.push_back({dimension});
  groups.push_back({type.getRank() - 1, type.getRank()});
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, tensor);
  sizes.back() = builder.getIndexAttr(columns / kPanelWidth);
  sizes.push_back(builder.getIndexAttr(kPanelWidth));
  return tensor::ExpandShapeOp::create(builder, loc, type.clone(shape), tensor, groups, sizes);
}

Value collapseLast(OpBuilder &builder, Location loc, Value tensor, Type type) {
  SmallVector<ReassociationIndices> groups;
  int64_t rank = cast<RankedTensorType>(type).getRank();
  for (int64_t dimension = 0; dimension < rank - 1; ++dimension)
    groups.push_back({dimension});
  groups.push_back({rank - 1, rank});
  return tensor::CollapseShapeOp::create(builder, loc, type, tensor, groups);
}

void rewriteGrouped(GroupedMatmulOp op) {
  OpBuilder builder(op);
  Value init = expandLast(builder, op.getLoc(), op.getInit());
  auto panels = GroupedMatmulOp::create(builder, op.getLoc(), init.getType(), op.getX(), op.getRows(),
                                        op.getFirstRow(), op.getOffsets(), op.getWeight(), init);
  op.replaceAllUsesWith(collapseLast(builder, op.getLoc(), panels.getResult(), op.getResult().getType()));
  op.erase();
}

/// Loop n becomes two: n / 16 keeps n's place, n mod 16 is the last parallel result.
void rewriteGeneric(linalg::GenericOp op, unsigned operandNumber, unsigned n) {
  OpBuilder builder(op);
  MLIRContext *context = op.getContext();
  unsigned lane = op.getNumLoops();
  SmallVector<AffineMap> maps;
  for (auto [number, map] : llvm::enumerate(op.getIndexingMapsArray())) {
    SmallVector<AffineExpr> exprs(map.getResults());
    bool isOut = number + 1 == op.getIndexingMapsArray().size();
    if (number == operandNumber || isOut)
      exprs.push_back(getAffineDimExpr(lane, context));
    maps.push_back(AffineMap::get(lane + 1, 0, exprs, context));
  }
  auto iterators = op.getIteratorTypesArray();
  iterators.push_back(utils::IteratorType::parallel);
  Value init = expandLast(builder, op.getLoc(), op.getDpsInits()[0]);
  auto panels = linalg::GenericOp::create(builder, op.getLoc(), TypeRange(init.getType()), op.getDpsInputs(),
                                          ValueRange(init), maps, iterators);
  panels.getRegion().takeBody(op.getRegion());
  op->getResult(0).replaceAllUsesWith(
      collapseLast(builder, op.getLoc(), panels->getResult(0), op->getResult(0).getType()));
  op.erase();
}

} // namespace

/// Whether the only reader of `value` takes it as the transposed factor of a product.
static bool isTransposedFactor(Value value) {
  if (!value.hasOneUse())
    return false;
  OpOperand &use = *value.use_begin();
  if (auto grouped = dyn_cast<GroupedMatmulOp>(use.getOwner()))
    return use.get() == grouped.getWeight();
  auto generic = dyn_cast<linalg::GenericOp>(use.getOwner());
  return generic && transposedFactor(generic, use.getOperandNumber()).has_value();
}

static bool dividesIntoPanels(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getRank() >= 2 && tensor.getDimSize(tensor.getRank() - 2) % kPanelWidth == 0;
}

bool canReadPanels(FuncOp func, unsigned index) {
  Value argument = func.getArgument(index);
  if (!dividesIntoPanels(argument.getType()) || !argument.hasOneUse())
    return false;
  auto dequantise = dyn_cast<DequantiseOp>(*argument.user_begin());
  if (!dequantise)
    return isTransposedFactor(argument);
  if (argument == dequantise.getScales() && !dequantise.hasRowScales())
    return false;
  bool blocksHoldPanels = dequantise.hasRowScales() || dequantise.getBlockRows() % kPanelWidth == 0;
  return blocksHoldPanels && dividesIntoPanels(dequantise.getType()) && isTransposedFactor(dequantise.getResult());
}

/// The only reader of `value`, [.., N, K] until now, reads panels.
static void rewriteReader(Value value) {
  OpOperand &use = *value.use_begin();
  if (auto grouped = dyn_cast<GroupedMatmulOp>(use.getOwner()))
    return rewriteGrouped(grouped);
  auto generic = cast<linalg::GenericOp>(use.getOwner());
  // The map still has the old rank: read the column loop from it before the rewrite.
  AffineMap map = generic.getIndexingMapsArray()[use.getOperandNumber()];
  rewriteGeneric(generic, use.getOperandNumber(), map.getDimPosition(map.getNumResults() - 2));
}

static void setArgumentType(FuncOp func, unsigned index, LayoutKind kind) {
  auto layout = LayoutAttr::get(func.getContext(), kind, kind == LayoutKind::panel ? kPanelWidth : 1);
  SmallVector<Type> types(func.getArgumentTypes());
  types[index] = *layout.physicalType(cast<RankedTensorType>(types[index]));
  func.setFunctionType(FunctionType::get(func.getContext(), types, func.getResultTypes()));
  func.getArgument(index).setType(types[index]);
}

void readPanels(FuncOp func, unsigned index) {
  setArgumentType(func, index, LayoutKind::panel);
  BlockArgument argument = func.getArgument(index);
  auto dequantise = dyn_cast<DequantiseOp>(*argument.user_begin());
  if (!dequantise)
    return rewriteReader(argument);
  if (argument != dequantise.getCodes())
    return; // rewritten with its codes
  auto layout = LayoutAttr::get(func.getContext(), LayoutKind::panel, kPanelWidth);
  dequantise.setPanels(true);
  dequantise.getResult().setType(*layout.physicalType(cast<RankedTensorType>(dequantise.getType())));
  rewriteReader(dequantise.getResult());
}

void readRowMajor(FuncOp func, unsigned index) {
  if (cast<ShapedType>(func.getArgumentTypes()[index]).getElementType().isInteger(4))
    setArgumentType(func, index, LayoutKind::row_major);
}

LogicalResult propagateSplitColumns(FuncOp func) {
  RewritePatternSet patterns(func.getContext());
  // A product of codes keeps its loops: split columns of K would have to be split in codes and scales.
  linalg::populateFoldReshapeOpsByExpansionPatterns(patterns, [](OpOperand *operand) {
    return llvm::none_of(operand->getOwner()->getOperands(),
                         [](Value value) { return value.getDefiningOp<DequantiseOp>(); });
  });
  tensor::populateFoldTensorEmptyPatterns(patterns);
  linalg::FillOp::getCanonicalizationPatterns(patterns, func.getContext());
  tensor::ExpandShapeOp::getCanonicalizationPatterns(patterns, func.getContext());
  tensor::CollapseShapeOp::getCanonicalizationPatterns(patterns, func.getContext());
  return applyPatternsGreedily(func, std::move(patterns));
}

} // namespace kimi::passes
