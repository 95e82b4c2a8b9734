// kimi-estimate-cost: bytes and FLOPs of every kernel as sums over run-time sizes.
#include "dialects/kimi/Kimi.h"
#include "passes/select/Passes.h"

namespace kimi::passes {
#define GEN_PASS_DEF_ESTIMATECOST
#include "passes/select/Passes.h.inc"
} // namespace kimi::passes

using namespace mlir;
using namespace kimi::kernel;

namespace {

int64_t bytesOfElement(Type type) { return (cast<ShapedType>(type).getElementTypeBitWidth() + 7) / 8; }

int64_t staticElements(ShapedType type) {
  int64_t count = 1;
  for (int64_t size : type.getShape())
    count *= size == ShapedType::kDynamic ? 1 : size;
  return count;
}

class CostEstimator {
public:
  explicit CostEstimator(FuncOp func) : func(func), context(func.getContext()) {}

  CostAttr run() {
    for (unsigned index = 0; index < func.getNumArguments(); ++index)
      addArgument(index);
    for (auto [index, type] : llvm::enumerate(func.getResultTypes()))
      add(bytes, extentOf(func.getResultDims(index)), 0, staticElements(cast<ShapedType>(type)) * bytesOfElement(type));
    func.walk([&](Operation *op) { addFlops(op); });
    auto array = [&](ArrayRef<Attribute> terms) { return ArrayAttr::get(context, terms); };
    return CostAttr::get(context, array(bytes), array(flops));
  }

private:
  struct Size {
    DimSymbol symbol = DimSymbol::one;
    int64_t multiplier = 1;
  };

  /// Tensors with one `?` scale with it; block tables (two) are counted by sequences.
  static Size extentOf(ArrayRef<ExtentAttr> dims) {
    return dims.empty() ? Size{} : Size{dims[0].getSymbol(), dims[0].getMultiplier()};
  }

  void add(SmallVector<Attribute> &terms, Size size, int64_t cap, int64_t amount) {
    if (amount > 0)
      terms.push_back(CostTermAttr::get(context, size.symbol, size.multiplier, cap, amount));
  }

  /// The rows that a kernel touches: those of its first argument or result with a run-time size.
  Size rowsTouched() {
    for (unsigned index = 0; index < func.getNumResults(); ++index)
      if (!func.getResultDims(index).empty())
        return extentOf(func.getResultDims(index));
    for (unsigned index = 0; index < func.getNumArguments(); ++index)
      if (!func.getArgumentDims(index).empty())
        return extentOf(func.getArgumentDims(index));
    return {};
  }

  bool isOnlyLookedUp(Value argument) {
    return !argument.use_empty() &&
           llvm::all_of(argument.getUsers(), [](Operation *user) { return isa<tensor::ExtractOp>(user); });
  }

  /// One matrix per expert, as such or as codes or scales.
  static bool isGroupedWeight(Value value) {
    return llvm::any_of(value.getUsers(), [&](Operation *user) {
      if (auto dequantise = dyn_cast<DequantiseOp>(user))
        return isGroupedWeight(dequantise.getResult());
      auto grouped = dyn_cast<GroupedMatmulOp>(user);
      return grouped && grouped.getWeight() == value;
    });
  }

  void addArgument(unsigned index) {
    Value argument = func.getArgument(index);
    auto type = cast<ShapedType>(argument.getType());
    if (isa<MemRefType>(type)) { // a cache: one row per position attended to, or per token written
      bool isRead = !isa<PagedScatterOp>(*argument.getUsers().begin());
      add(bytes, isRead ? Size{DimSymbol::context_tokens, 1} : Size{DimSymbol::tokens, 1}, 0,
          type.getDimSize(2) * bytesOfElement(type));
      return;
    }
    if (isOnlyLookedUp(argument)) {
      add(bytes, rowsTouched(), 0, type.getShape().back() * bytesOfElement(type));
      return;
    }
    int64_t amount = staticElements(type) * bytesOfElement(type);
    if (isGroupedWeight(argument)) {
      add(bytes, rowsTouched(), type.getDimSize(0), amount / type.getDimSize(0));
      return;
    }
    add(bytes, extentOf(func.getArgumentDims(index)), 0, amount);
  }

  void addFlops(Operation *op) {
    if (auto attention = dyn_cast<PagedAttentionOp>(op)) {
      auto query = cast<ShapedType>(attention.getQuery().getType());
      int64_t width = 2 * query.getDimSize(2) + cast<ShapedType>(attention.getQueryRope().getType()).getDimSize(2);
      add(flops, {DimSymbol::context_tokens, 1}, 0, 2 * query.getDimSize(1) * width);
    } else if (auto attention = dyn_cast<PagedAttentionExpandedOp>(op)) {
      auto query = cast<ShapedType>(attention.getQuery().getType());
      auto result = cast<ShapedType>(attention.getResult().getType());
      int64_t width = query.getDimSize(2) + result.getDimSize(2) +
                      cast<ShapedType>(attention.getQueryRope().getType()).getDimSize(2);
      add(flops, {DimSymbol::context_tokens, 1}, 0, 2 * query.getDimSize(1) * width);
    } else if (auto grouped = dyn_cast<GroupedMatmulOp>(op)) {
      auto weight = cast<ShapedType>(grouped.getWeight().getType());
      add(flops, rowsTouched(), 0, 2 * staticElements(weight) / weight.getDimSize(0));
    } else if (auto generic = dyn_cast<linalg::GenericOp>(op); generic && generic.getNumReductionLoops() > 0) {
      int64_t loops = 2;
      for (int64_t range : generic.getStaticLoopRanges())
        loops *= range == ShapedType::kDynamic ? 1 : range;
      bool isDynamic = llvm::is_contained(generic.getStaticLoopRanges(), ShapedType::kDynamic);
      add(flops, isDynamic ? rowsTouched() : Size{}, 0, loops);
    }
  }

  FuncOp func;
  MLIRContext *context;
  SmallVector<Attribute> bytes, flops;
};

struct EstimateCost : kimi::passes::impl::EstimateCostBase<EstimateCost> {
  void runOnOperation() override {
    for (auto func : getOperation().getOps<FuncOp>())
      func.setCostAttr(CostEstimator(func).run());
  }
};

} // namespace
