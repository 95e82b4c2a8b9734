#include "passes/select/SpliceClass.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using kimi::kernel::FuncOp;

namespace kimi::passes {

namespace {

/// `value` over the loops of the generic around it; nothing where it is no sum of their multiples. A bound `last` that none
/// of its values passes is left out.
AffineExpr affineOf(Value value, int64_t last) {
  MLIRContext *context = value.getContext();
  auto both = [&](Operation *op, auto combine) -> AffineExpr {
    AffineExpr a = affineOf(op->getOperand(0), last), b = affineOf(op->getOperand(1), last);
    return a && b ? combine(a, b) : AffineExpr();
  };
  APInt number;
  if (matchPattern(value, m_ConstantInt(&number)))
    return getAffineConstantExpr(number.getSExtValue(), context);
  Operation *op = value.getDefiningOp();
  if (!op)
    return {};
  return llvm::TypeSwitch<Operation *, AffineExpr>(op)
      .Case([&](linalg::IndexOp index) { return getAffineDimExpr(index.getDim(), context); })
      .Case([&](arith::AddIOp) { return both(op, [](AffineExpr a, AffineExpr b) { return a + b; }); })
      .Case([&](arith::MulIOp) { return both(op, [](AffineExpr a, AffineExpr b) { return a * b; }); })
      .Case([&](arith::MinUIOp) {
        bool isBound = matchPattern(op->getOperand(1), m_ConstantInt(&number)) && number == last;
        return isBound ? affineOf(op->getOperand(0), last) : AffineExpr();
      })
      .Default([](Operation *) { return AffineExpr(); });
}

bool isScalar(Operation &op) { return isa<arith::ArithDialect, math::MathDialect>(op.getDialect()); }

/// Loops (t, b, j) over j, whose input has nothing but its size.
bool hasLoopsOfBlocks(linalg::GenericOp op) {
  Builder b(op.getContext());
  auto map = [&](ArrayRef<AffineExpr> exprs) { return AffineMap::get(3, 0, exprs, b.getContext()); };
  AffineExpr t = b.getAffineDimExpr(0), block = b.getAffineDimExpr(1), j = b.getAffineDimExpr(2);
  if (op.getNumLoops() != 3 || op.getNumReductionLoops() != 1 || op.getNumDpsInputs() != 1 || op.getNumDpsInits() != 1 ||
      op.getIndexingMapsArray() != SmallVector<AffineMap>{map({j}), map({t, block})})
    return false;
  auto window = cast<RankedTensorType>(op.getDpsInputs()[0].getType());
  return window.getShape() == ArrayRef<int64_t>{kScaleBlock} && op.getBody()->getArgument(0).use_empty();
}

llvm::Error refuse(FuncOp kernel, const Twine &why) {
  return llvm::createStringError("kernel '" + kernel.getSymName() + "': " + why);
}

/// What may follow a product: elementwise operations [t, columns], which read arguments where their maps say.
bool isElementwise(linalg::GenericOp op, int64_t columns) {
  if (!llvm::all_of(op.getBody()->without_terminator(), isScalar) || op.payloadUsesValueFromOperand(op.getDpsInitOperand(0)))
    return false;
  auto type = cast<RankedTensorType>(op.getResult(0).getType());
  return op.getNumResults() == 1 && op.getNumReductionLoops() == 0 && type.getRank() == 2 && type.getShape()[1] == columns &&
         op.getIndexingMapsArray().back().isIdentity() &&
         llvm::all_of(op.getIndexingMapsArray(), [](AffineMap map) { return map.isProjectedPermutation() || isBlockMap(map); });
}

bool hasKnownAddresses(RankedTensorType type) {
  return type.getRank() == 0 || llvm::none_of(type.getShape().drop_front(), ShapedType::isDynamic);
}

class Classifier {
public:
  Classifier(FuncOp kernel, const SkinnyProduct &product) : kernel(kernel), product(product) {}

  llvm::Expected<cuda::Splice> run() {
    for (Value result : kernel.getBody().front().getTerminator()->getOperands())
      if (llvm::Error error = visit(result, isOfBlocks(result)))
        return error;
    for (linalg::GenericOp op : product.operations())
      if (!seen.contains(op.getResult(0)))
        return refuse(kernel, "its results do not come from its product");
    int perColumn = product.twin ? 2 : 1;
    if (hasBlocks)
      return cuda::Splice{cuda::SpliceClass::block, static_cast<int>(kScaleBlock) * perColumn, "", {}};
    int columns = product.columns % 4 == 0 && !product.twin ? 4 : product.columns % 2 == 0 ? 2 : 1;
    return cuda::Splice{product.twin ? cuda::SpliceClass::pair : cuda::SpliceClass::element, columns * perColumn, "", {}};
  }

private:
  bool isOfBlocks(Value value) {
    auto type = cast<RankedTensorType>(value.getType());
    return type.getRank() == 2 && type.getShape()[1] != product.columns;
  }

  /// `value` is [t, n], or with `ofBlocks` [t, n / 128].
  llvm::Error visit(Value value, bool ofBlocks) {
    if (!seen.insert(value).second)
      return llvm::Error::success();
    if (auto argument = dyn_cast<BlockArgument>(value))
      return visitArgument(argument, ofBlocks);
    auto generic = value.getDefiningOp<linalg::GenericOp>();
    if (generic && llvm::is_contained(product.operations(), generic))
      return llvm::Error::success();
    if (auto maximum = generic && ofBlocks ? matchBlockMaximum(generic) : std::nullopt) {
      hasBlocks = true;
      return visit(maximum->source, false);
    }
    if (!generic || !isElementwise(generic, ofBlocks ? product.columns / kScaleBlock : product.columns))
      return refuse(kernel, "'" + value.getDefiningOp()->getName().getStringRef() + "' after the product is no elementwise "
                            "epilogue of skinny_gemm, nor a maximum over 128 columns: peel it into a kernel of its own");
    return visitOperands(generic, ofBlocks);
  }

  llvm::Error visitArgument(BlockArgument argument, bool ofBlocks) {
    unsigned number = argument.getArgNumber();
    if (llvm::is_contained(product.arguments(), number))
      return refuse(kernel, "skinny_gemm's epilogue reads argument " + Twine(number) + ", which its product reads: peel it");
    if (ofBlocks || !hasKnownAddresses(cast<RankedTensorType>(argument.getType())))
      return refuse(kernel, "skinny_gemm's epilogue reads argument " + Twine(number) + (ofBlocks ? " by blocks of 128 columns"
                            : ", which has more unknown sizes than its first") + ": peel it");
    return llvm::Error::success();
  }

  llvm::Error visitOperands(linalg::GenericOp generic, bool ofBlocks) {
    for (OpOperand *operand : generic.getDpsInputOperands()) {
      AffineMap map = generic.getMatchingIndexingMap(operand);
      bool readsBlocks = ofBlocks || isBlockMap(map);
      bool isAllowed = map.isIdentity() || (!ofBlocks && readsBlocks) ||
                       (isa<BlockArgument>(operand->get()) && map.isProjectedPermutation());
      if (!isAllowed)
        return refuse(kernel, "skinny_gemm passes an epilogue the sums of its own row and column only: peel what reads others");
      if (llvm::Error error = visit(operand->get(), readsBlocks))
        return error;
    }
    return llvm::Error::success();
  }

  FuncOp kernel;
  const SkinnyProduct &product;
  llvm::DenseSet<Value> seen;
  bool hasBlocks = false;
};

} // namespace

bool isBlockMap(AffineMap map) {
  if (map.getNumDims() != 2 || map.getNumResults() != 2)
    return false;
  AffineExpr t = getAffineDimExpr(0, map.getContext()), n = getAffineDimExpr(1, map.getContext());
  return map.getResult(0) == t && map.getResult(1) == n.floorDiv(kScaleBlock);
}

std::optional<BlockMaximum> matchBlockMaximum(linalg::GenericOp op) {
  if (!hasLoopsOfBlocks(op))
    return std::nullopt;
  auto fill = op.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
  BlockMaximum maximum;
  if (!fill || !matchPattern(fill.getInputs()[0], m_Constant(&maximum.init)))
    return std::nullopt;
  Block &body = *op.getBody();
  for (Operation &inner : body.without_terminator()) {
    auto element = dyn_cast<tensor::ExtractOp>(inner);
    if ((element && maximum.element) || !(element || isa<linalg::IndexOp>(inner) || isScalar(inner)))
      return std::nullopt;
    maximum.element = element ? element : maximum.element;
  }
  auto largest = body.getTerminator()->getOperand(0).getDefiningOp<arith::MaximumFOp>();
  Value out = body.getArgument(1);
  if (!maximum.element || !largest || !out.hasOneUse() || (largest.getLhs() != out && largest.getRhs() != out))
    return std::nullopt;
  maximum.source = maximum.element.getTensor();
  auto type = cast<RankedTensorType>(maximum.source.getType());
  if (type.getRank() != 2 || type.isDynamicDim(1) || type.getDimSize(1) % kScaleBlock != 0)
    return std::nullopt;
  AffineExpr row = getAffineDimExpr(0, op.getContext()), block = getAffineDimExpr(1, op.getContext());
  AffineExpr column = block * kScaleBlock + getAffineDimExpr(2, op.getContext());
  int64_t last = type.getDimSize(1) - 1;
  if (affineOf(maximum.element.getIndices()[0], last) != row || affineOf(maximum.element.getIndices()[1], last) != column)
    return std::nullopt;
  return maximum;
}

llvm::Expected<cuda::Splice> classifyEpilogue(FuncOp kernel, const SkinnyProduct &product) {
  return Classifier(kernel, product).run();
}

} // namespace kimi::passes
