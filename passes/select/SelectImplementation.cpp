// kimi-select-implementation: which implementation serves each kernel, and the tile one task computes.
#include "dialects/kimi/Kimi.h"
#include "passes/select/InstantiateTemplates.h"
#include "passes/select/LibraryProduct.h"
#include "passes/select/Passes.h"

namespace kimi::passes {
#define GEN_PASS_DEF_SELECTIMPLEMENTATION
#include "passes/select/Passes.h.inc"
} // namespace kimi::passes

using namespace mlir;
using kimi::kernel::FuncOp;

namespace {

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

/// Tokens and heads of one task of attention.
std::optional<SmallVector<int64_t>> attentionTile(FuncOp func, int64_t mostHeads) {
  std::optional<SmallVector<int64_t>> tile;
  func.walk([&](kimi::kernel::PagedAttentionOp op) {
    tile = {1, kimi::kernel::largestDivisor(cast<ShapedType>(op.getQuery().getType()).getDimSize(1), mostHeads)};
  });
  return tile;
}

/// Kernels whose other operations lay out their own grid (expanded attention, sort, scatter, sample) have an empty tile.
bool hasOwnGrid(FuncOp func) {
  bool own = false;
  func.walk([&](Operation *op) {
    own |= isa<scf::ForallOp>(op) || (isa<kimi::kernel::LoopsOpInterface>(op) && !isa<TilingInterface>(op));
  });
  return own;
}

/// Rows and columns of one task; reductions along rows keep whole rows.
SmallVector<int64_t> tileOf(FuncOp func, const kimi::passes::TaskTiles &tiles) {
  if (auto tile = attentionTile(func, tiles.attentionHeads))
    return *tile;
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
    auto target = kimi::passes::Target::of(getOperation());
    if (failed(target))
      return signalPassFailure();
    auto templates = kimi::passes::templatesOf(getOperation(), **target);
    auto overrides = kimi::passes::Overrides::of(getOperation(), kimi::passes::implementationsOf(templates));
    if (failed(overrides))
      return signalPassFailure();
    for (auto func : getOperation().getOps<FuncOp>())
      func.removeImplAttr();
    auto refusals = kimi::passes::instantiateTemplates(getOperation(), templates, *overrides);
    kimi::passes::splitLibraryCalls(getOperation());
    Builder builder(&getContext());
    for (auto func : getOperation().getOps<FuncOp>()) {
      if (func.getImplAttr())
        continue;
      auto parameters = builder.getDictionaryAttr(
          builder.getNamedAttr("tile", builder.getDenseI64ArrayAttr(tileOf(func, (*target)->tiles()))));
      func.setImplAttr(kimi::kernel::ImplAttr::get(&getContext(), builder.getStringAttr(kimi::passes::kGenerated), parameters));
    }
    if (failed(checkServed(*overrides, refusals)))
      signalPassFailure();
  }

  /// What people asked for by name serves at least one kernel that holds the operation.
  LogicalResult checkServed(const kimi::passes::Overrides &overrides, const kimi::passes::Refusals &refusals) {
    for (auto [op, implementation] : overrides.demands()) {
      if (isServed(op, implementation))
        continue;
      auto refusal = refusals.find(implementation);
      return getOperation().emitError() << "--impl " << op << "=" << implementation << ": " << implementation
                                        << " can serve no kernel of this plan: "
                                        << (refusal == refusals.end() ? "none that it serves holds '" + op.str() + "'"
                                                                      : refusal->second)
                                        << "; use " << kimi::passes::kGenerated;
    }
    return success();
  }

  bool isServed(StringRef op, StringRef implementation) {
    return llvm::any_of(getOperation().getOps<FuncOp>(), [&](FuncOp func) {
      return func.getImplAttr().getName().getValue() == implementation &&
             (op == "*" || llvm::is_contained(kimi::passes::operationsOf(func), op));
    });
  }
};

} // namespace
