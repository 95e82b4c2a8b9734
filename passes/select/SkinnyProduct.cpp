#include "passes/select/SpliceClass.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using kimi::kernel::DequantiseOp;
using kimi::kernel::DimSymbol;
using kimi::kernel::FuncOp;

namespace kimi::passes {

namespace {

/// Where an operand comes from: an argument, and the argument with its scales.
struct Operand {
  unsigned argument;
  std::optional<unsigned> scales;
};

/// The number of the argument that `value` is, reshaped or not: its elements lie in the same order.
std::optional<unsigned> argumentOf(Value value) {
  while (auto reshape = value.getDefiningOp<tensor::CollapseShapeOp>())
    value = reshape.getSrc();
  auto argument = dyn_cast<BlockArgument>(value);
  return argument ? std::optional(argument.getArgNumber()) : std::nullopt;
}

/// An operand of bf16, or of e4m3 with a scale per `scaleRows` x 128.
std::optional<Operand> operandOf(Value value, int64_t scaleRows) {
  if (auto dequantise = value.getDefiningOp<DequantiseOp>()) {
    auto codes = argumentOf(dequantise.getCodes()), scales = argumentOf(dequantise.getScales());
    bool hasBlocks = static_cast<int64_t>(dequantise.getBlockRows()) == scaleRows &&
                     static_cast<int64_t>(dequantise.getBlockColumns()) == kScaleBlock && !dequantise.getPanels();
    if (!codes || !scales || !hasBlocks || !isa<Float8E4M3FNType>(getElementTypeOrSelf(dequantise.getCodes())))
      return std::nullopt;
    return Operand{*codes, scales};
  }
  if (!isa<BFloat16Type>(getElementTypeOrSelf(value)))
    return std::nullopt;
  auto argument = argumentOf(value);
  return argument ? std::optional(Operand{*argument, std::nullopt}) : std::nullopt;
}

bool isFilledWithZeros(Value value) {
  auto fill = value.getDefiningOp<linalg::FillOp>();
  return fill && (matchPattern(fill.getInputs()[0], m_PosZeroFloat()) || matchPattern(fill.getInputs()[0], m_AnyZeroFloat()));
}

Value withoutExtension(Value value) {
  auto extension = value.getDefiningOp<arith::ExtFOp>();
  return extension ? extension.getIn() : value;
}

/// out += a * b in f32, one rounding.
bool sumsProducts(linalg::GenericOp op) {
  Block &body = *op.getBody();
  auto fma = body.getTerminator()->getOperand(0).getDefiningOp<math::FmaOp>();
  if (!fma || fma.getC() != body.getArgument(2) || !fma.getType().isF32())
    return false;
  Value a = withoutExtension(fma.getA()), b = withoutExtension(fma.getB());
  return (a == body.getArgument(0) && b == body.getArgument(1)) || (a == body.getArgument(1) && b == body.getArgument(0));
}

/// x[t, k] times w[n, k] to out[t, n].
bool isTransposedProduct(linalg::GenericOp op) {
  if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 || op.getNumLoops() != 3 || op.getNumReductionLoops() != 1)
    return false;
  Builder b(op.getContext());
  auto map = [&](unsigned row, unsigned column) {
    return AffineMap::get(3, 0, {b.getAffineDimExpr(row), b.getAffineDimExpr(column)}, op.getContext());
  };
  return op.getIndexingMapsArray() == SmallVector<AffineMap>{map(0, 2), map(1, 2), map(0, 1)};
}

/// Whose number the rows of an argument [rows, ..] are, each of `depth` values; nothing where it has others.
std::optional<DimSymbol> rowsOf(FuncOp kernel, unsigned argument, int64_t depth) {
  SmallVector<kernel::ExtentAttr> dims = kernel.getArgumentDims(argument);
  ArrayRef<int64_t> shape = cast<RankedTensorType>(kernel.getArgumentTypes()[argument]).getShape();
  if (dims.size() != 1 || dims[0].getMultiplier() != 1 || dims[0].getDivisor() != 1 || shape.empty() ||
      !ShapedType::isDynamic(shape[0]) || ShapedType::getNumElements(shape.drop_front()) != depth)
    return std::nullopt;
  return dims[0].getSymbol();
}

std::optional<SkinnyProduct> matchProduct(FuncOp kernel, linalg::GenericOp op) {
  if (!isTransposedProduct(op) || !sumsProducts(op) || !isFilledWithZeros(op.getDpsInits()[0]))
    return std::nullopt;
  auto x = operandOf(op.getDpsInputs()[0], 1), w = operandOf(op.getDpsInputs()[1], kScaleBlock);
  auto weightType = cast<RankedTensorType>(op.getDpsInputs()[1].getType());
  if (!x || !w || !weightType.hasStaticShape() || (x->scales && !w->scales))
    return std::nullopt;
  auto rows = rowsOf(kernel, x->argument, weightType.getShape()[1]);
  if (!rows)
    return std::nullopt;
  auto format = x->scales   ? cuda::SkinnyFormat::e4m3xE4m3
                : w->scales ? cuda::SkinnyFormat::e4m3xBf16
                            : cuda::SkinnyFormat::bf16xBf16;
  return SkinnyProduct{op,    w->argument,              x->argument,              w->scales, x->scales,
                       *rows, weightType.getShape()[0], weightType.getShape()[1], format,    {}, {}};
}

llvm::Error refuse(FuncOp kernel, const Twine &why) {
  return llvm::createStringError("kernel '" + kernel.getSymName() + "': " + why);
}

/// Whether the template can take both at once: the same activations, and weights of the same form.
bool areTwins(const SkinnyProduct &a, const SkinnyProduct &b) {
  return a.activations == b.activations && a.tokenScales == b.tokenScales && a.columns == b.columns && a.depth == b.depth &&
         a.format == b.format && a.weight != b.weight && (!a.weightScales || a.weightScales != b.weightScales);
}

} // namespace

cuda::SkinnyProblem SkinnyProduct::problem(int64_t mostRows) const {
  return {.columns = columns * (twin ? 2 : 1), .depth = depth, .tokens = mostRows, .format = format, .scaleSegments = {},
          .tokenSymbol = static_cast<int>(rows), .twins = twin.has_value()};
}

SmallVector<linalg::GenericOp> SkinnyProduct::operations() const {
  SmallVector<linalg::GenericOp> operations = {op};
  if (twin)
    operations.push_back(twin->op);
  return operations;
}

SmallVector<unsigned> SkinnyProduct::arguments() const {
  SmallVector<unsigned> arguments = {weight, activations};
  for (std::optional<unsigned> scales : {weightScales, tokenScales})
    if (scales)
      arguments.push_back(*scales);
  if (twin)
    arguments.push_back(twin->weight);
  if (twin && twin->scales)
    arguments.push_back(*twin->scales);
  return arguments;
}

SmallVector<SkinnyProduct> findSkinnyProducts(FuncOp kernel) {
  SmallVector<SkinnyProduct> products;
  kernel.walk([&](linalg::GenericOp op) {
    if (auto product = matchProduct(kernel, op))
      products.push_back(*product);
  });
  return products;
}

llvm::Expected<SkinnyProduct> findSkinnyProduct(FuncOp kernel) {
  SmallVector<SkinnyProduct> products = findSkinnyProducts(kernel);
  if (products.size() == 2 && areTwins(products[0], products[1])) {
    products[0].twin = {products[1].op, products[1].weight, products[1].weightScales};
    products.pop_back();
  }
  if (products.size() != 1)
    return refuse(kernel, "skinny_gemm takes one product x[t, k] * w[n, k] of bf16 or block-scaled e4m3, row-major, or two that "
                          "differ in w alone; here are " + Twine(products.size()));
  llvm::Expected<cuda::Splice> epilogue = classifyEpilogue(kernel, products[0]);
  if (!epilogue)
    return epilogue.takeError();
  products[0].epilogue = *epilogue;
  return products[0];
}

} // namespace kimi::passes
