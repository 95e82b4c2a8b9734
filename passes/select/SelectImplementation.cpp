// kimi-select-implementation: which implementation serves each kernel, and the tile one task computes.
#include "dialects/kimi/Kimi.h"
#include "passes/Target.h"
#include "passes/select/Passes.h"

#include "llvm/ADT/StringSet.h"

namespace kimi::passes {
#define GEN_PASS_DEF_SELECTIMPLEMENTATION
#include "passes/select/Passes.h.inc"
} // namespace kimi::passes

using namespace mlir;
using kimi::kernel::FuncOp;

namespace {

constexpr StringRef kGenerated = "generated";

enum class Shape { Product, RowReduction, Elementwise };

bool isProduct(linalg::GenericOp op) { return op.getNumReductionLoops() > 0 && op.getNumDpsInputs() >= 2; }

Shape shapeOf(FuncOp func, int64_t resultRank) {
  Shape shape = Shape::Elementwise;
  func.walk([&](Operation *op) {
    auto generic = dyn_cast<linalg::GenericOp>(op);
    bool ranksAgree = generic && cast<ShapedType>(generic->getResult(0).getType()).getRank() == resultRank;
    if (isa<kimi::kernel::GroupedMatmulOp>(op) || (generic && ranksAgree && isProduct(generic)))
      shape = Shape::Product;
    else if (shape == Shape::Elementwise &&
             (isa<kimi::kernel::GroupTopKOp>(op) || (generic && generic.getNumReductionLoops() > 0)))
      shape = Shape::RowReduction;
  });
  return shape;
}

/// Kernels whose operations lay out their own grid (attention, sort, scatter, sample) have an empty tile.
bool hasOwnGrid(FuncOp func) {
  bool own = false;
  func.walk([&](Operation *op) {
    own |= isa<scf::ForallOp>(op) || (isa<kimi::kernel::LoopsOpInterface>(op) && !isa<TilingInterface>(op));
  });
  return own;
}

/// Rows and columns of one task; reductions along rows keep whole rows.
SmallVector<int64_t> tileOf(FuncOp func, const kimi::passes::TaskTiles &tiles) {
  if (func.getNumResults() == 0 || hasOwnGrid(func))
    return {};
  int64_t rank = cast<ShapedType>(func.getResultTypes()[0]).getRank();
  Shape shape = shapeOf(func, rank);
  SmallVector<int64_t> tile(rank, 0);
  tile[0] = shape == Shape::Product        ? tiles.productRows
            : shape == Shape::RowReduction ? tiles.reductionRows
                                           : tiles.elementwiseRows;
  if (shape == Shape::Product && rank == 2)
    tile[1] = tiles.productColumns;
  if (shape == Shape::Product && rank == 3) // one head at a time
    tile[1] = 1;
  return tile;
}

struct SelectImplementation : kimi::passes::impl::SelectImplementationBase<SelectImplementation> {
  void runOnOperation() override {
    if (failed(checkOverrides()))
      return signalPassFailure();
    auto target = kimi::passes::Target::of(getOperation());
    if (failed(target))
      return signalPassFailure();
    Builder builder(&getContext());
    for (auto func : getOperation().getOps<FuncOp>()) {
      auto parameters = builder.getDictionaryAttr(
          builder.getNamedAttr("tile", builder.getDenseI64ArrayAttr(tileOf(func, (*target)->tiles()))));
      func.setImplAttr(kimi::kernel::ImplAttr::get(&getContext(), builder.getStringAttr(kGenerated), parameters));
    }
  }

  /// Every override must name an operation of some kernel and an implementation that can serve it.
  LogicalResult checkOverrides() {
    auto overrides = getOperation()->getAttrOfType<ArrayAttr>(kimi::model::kOverridesAttr);
    if (!overrides)
      return success();
    llvm::StringSet<> ops;
    for (auto func : getOperation().getOps<FuncOp>())
      if (auto names = func->getAttrOfType<ArrayAttr>("kernel.ops"))
        for (auto name : names.getAsRange<StringAttr>())
          ops.insert(name.getValue());
    for (auto entry : overrides.getAsRange<StringAttr>()) {
      auto [op, implementation] = entry.getValue().split('=');
      if (op != "*" && !ops.contains(op))
        return getOperation().emitError()
               << "--impl " << entry.getValue() << ": no kernel holds an operation '" << op
               << "'; operations here: " << sortedNames(ops);
      if (implementation != kGenerated)
        return getOperation().emitError() << "--impl " << entry.getValue() << ": '" << op
                                          << "' has no implementation '" << implementation
                                          << "'; it can be served by: " << kGenerated;
    }
    return success();
  }

  static std::string sortedNames(const llvm::StringSet<> &names) {
    SmallVector<StringRef> sorted;
    for (const auto &name : names)
      sorted.push_back(name.getKey());
    llvm::sort(sorted);
    return llvm::join(sorted, ", ");
  }
};

} // namespace
