// kimi-tile-to-grid: one scf.forall per kernel, everything inside it.
#include "passes/codegen/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/MemRef/Transforms/Transforms.h"
#include "mlir/Dialect/SCF/Transforms/TileUsingInterface.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace kimi::passes {
#define GEN_PASS_DEF_TILETOGRID
#include "passes/codegen/Passes.h.inc"
} // namespace kimi::passes

using namespace mlir;
using namespace kimi::kernel;

namespace {

struct TileToGrid : kimi::passes::impl::TileToGridBase<TileToGrid> {
  void runOnOperation() override {
    layOutOwnGrid = false;
    returnSplitColumns();
    // Sizes must be asked of arguments, not of operations that are about to be fused away: hence the clean-ups.
    if (failed(cleanUp()) || failed(buildStructured(/*onlyOwnGrid=*/true)) || failed(tileResult()) ||
        failed(cleanUp()) || failed(buildStructured(/*onlyOwnGrid=*/false)) || failed(cleanUp()) ||
        failed(mergeDequantise()) || failed(recordGrid()))
      signalPassFailure();
  }

  ReturnOp terminator() { return cast<ReturnOp>(getOperation().getBody().front().getTerminator()); }

  /// A result [T, N] computed as [T, N / 16, 16] is returned as such: the same bytes, and no reshape after the grid.
  void returnSplitColumns() {
    ReturnOp ret = terminator();
    SmallVector<Type> types(getOperation().getResultTypes());
    for (OpOperand &operand : ret->getOpOperands())
      if (auto collapse = operand.get().getDefiningOp<tensor::CollapseShapeOp>()) {
        operand.set(collapse.getSrc());
        types[operand.getOperandNumber()] = collapse.getSrc().getType();
      }
    FuncOp func = getOperation();
    func.setFunctionType(FunctionType::get(&getContext(), func.getArgumentTypes(), types));
    IRRewriter rewriter(&getContext());
    (void)eraseUnused(rewriter);
  }

  LogicalResult eraseUnused(RewriterBase &rewriter) {
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(getOperation().getBody().front())))
      if (isOpTriviallyDead(&op))
        rewriter.eraseOp(&op);
    return success();
  }

  LogicalResult buildStructured(bool onlyOwnGrid) {
    SmallVector<LoopsOpInterface> ops;
    getOperation().walk([&](LoopsOpInterface op) {
      if (!onlyOwnGrid || !isa<TilingInterface>(op.getOperation()))
        ops.push_back(op);
    });
    layOutOwnGrid |= onlyOwnGrid && !ops.empty();
    for (LoopsOpInterface op : ops) {
      OpBuilder builder(op);
      FailureOr<SmallVector<Value>> results = op.buildLoops(builder);
      if (failed(results))
        return failure();
      op->replaceAllUsesWith(*results);
      op.erase();
    }
    return success();
  }

  /// Values of a quantised weight are made where they are read: slices first, then the reader's own loops.
  LogicalResult mergeDequantise() {
    SmallVector<tensor::ExtractSliceOp> slices;
    getOperation().walk([&](tensor::ExtractSliceOp slice) { slices.push_back(slice); });
    for (tensor::ExtractSliceOp slice : slices) // program order: a slice of a slice finds its source narrowed
      if (auto source = slice.getSource().getDefiningOp<DequantiseOp>()) {
        OpBuilder builder(slice);
        FailureOr<DequantiseOp> narrow = source.sliced(builder, slice);
        if (failed(narrow))
          return failure();
        slice.replaceAllUsesWith(narrow->getResult());
        slice.erase();
      }
    SmallVector<DequantiseOp> ops;
    getOperation().walk([&](DequantiseOp op) { ops.push_back(op); });
    for (DequantiseOp op : ops) {
      OpBuilder builder(op);
      if (!op.use_empty() && failed(mergeIntoReaders(op.buildGeneric(builder), op)))
        return failure();
      op.erase();
    }
    return cleanUp();
  }

  LogicalResult mergeIntoReaders(linalg::GenericOp values, DequantiseOp op) {
    op.getResult().replaceAllUsesWith(values->getResult(0));
    IRRewriter rewriter(&getContext());
    for (OpOperand &use : llvm::make_early_inc_range(values->getUses())) {
      auto reader = dyn_cast<linalg::GenericOp>(use.getOwner());
      rewriter.setInsertionPoint(use.getOwner());
      FailureOr<linalg::ElementwiseOpFusionResult> fused =
          reader ? linalg::fuseElementwiseOps(rewriter, &use) : FailureOr<linalg::ElementwiseOpFusionResult>();
      if (failed(fused))
        return values.emitError() << "kernel '" << getOperation().getSymName()
                                  << "' would store the values of a quantised weight: '" << use.getOwner()->getName()
                                  << "' cannot read codes";
      for (auto [from, to] : fused->replacements)
        rewriter.replaceAllUsesWith(from, to);
      rewriter.eraseOp(reader);
    }
    rewriter.eraseOp(values);
    return success();
  }

  /// The implementation's tile counts dimensions of the result; loops beyond them reduce and are not tiled.
  SmallVector<OpFoldResult> tileSizes(int64_t numLoops, int64_t resultRank) {
    SmallVector<int64_t> tile;
    if (auto impl = getOperation().getImpl())
      if (auto array = impl->getParameters().getAs<DenseI64ArrayAttr>("tile"))
        tile.assign(array.asArrayRef().begin(), array.asArrayRef().end());
    if (!tile.empty() && resultRank == static_cast<int64_t>(tile.size()) + 1) // columns were split into panels
      tile.back() = tile.back() / kPanelWidth;
    tile.resize(numLoops, 0);
    SmallVector<OpFoldResult> sizes;
    for (int64_t size : tile)
      sizes.push_back(IntegerAttr::get(IndexType::get(&getContext()), size));
    return sizes;
  }

  /// The last operation in program order that computes a result.
  Operation *lastResult() {
    Operation *last = nullptr;
    for (Value value : terminator().getOperands())
      if (Operation *op = value.getDefiningOp(); op && (!last || last->isBeforeInBlock(op)))
        last = op;
    return last;
  }

  LogicalResult tileResult() {
    bool hasGrid = !getOperation().getBody().front().getOps<scf::ForallOp>().empty();
    if (hasGrid || layOutOwnGrid)
      return success();
    auto anchor = dyn_cast_or_null<TilingInterface>(lastResult());
    if (!anchor)
      return getOperation().emitError() << "kernel '" << getOperation().getSymName()
                                        << "' has no result that can be split into tasks";
    scf::SCFTileAndFuseOptions options;
    options.tilingOptions.setLoopType(scf::SCFTilingOptions::LoopType::ForallOp);
    int64_t resultRank = cast<ShapedType>(anchor->getResult(0).getType()).getRank();
    options.tilingOptions.setTileSizes(tileSizes(anchor.getLoopIteratorTypes().size(), resultRank));
    // Producers that are results themselves are also yielded from the grid.
    options.setFusionControlFn([&](tensor::ExtractSliceOp, OpResult producer, bool)
                                   -> std::optional<scf::SCFTileAndFuseOptions::ControlFnResult> {
      bool isResult = llvm::any_of(producer.getUsers(), [](Operation *user) { return isa<ReturnOp>(user); });
      return scf::SCFTileAndFuseOptions::ControlFnResult{isResult};
    });
    IRRewriter rewriter(&getContext());
    rewriter.setInsertionPoint(anchor);
    FailureOr<scf::SCFTileAndFuseResult> tiled = scf::tileConsumerAndFuseProducersUsingSCF(rewriter, anchor, options);
    if (failed(tiled))
      return getOperation().emitError() << "kernel '" << getOperation().getSymName() << "' could not be tiled";
    for (auto [from, to] : tiled->replacements)
      rewriter.replaceAllUsesWith(from, to);
    return eraseUnused(rewriter);
  }

  LogicalResult cleanUp() {
    RewritePatternSet patterns(&getContext());
    tensor::populateFoldTensorEmptyPatterns(patterns);
    memref::populateResolveRankedShapedTypeResultDimsPatterns(patterns);
    linalg::FillOp::getCanonicalizationPatterns(patterns, &getContext());
    tensor::ExtractSliceOp::getCanonicalizationPatterns(patterns, &getContext());
    tensor::DimOp::getCanonicalizationPatterns(patterns, &getContext());
    affine::AffineApplyOp::getCanonicalizationPatterns(patterns, &getContext());
    affine::AffineMinOp::getCanonicalizationPatterns(patterns, &getContext());
    scf::ForallOp::getCanonicalizationPatterns(patterns, &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return failure();
    IRRewriter rewriter(&getContext());
    return eraseUnused(rewriter);
  }

  /// The size behind a grid bound: a constant, or a size of an argument times a constant.
  FailureOr<ExtentAttr> traceBound(OpFoldResult bound) {
    if (auto constant = getConstantIntValue(bound))
      return ExtentAttr::get(&getContext(), DimSymbol::one, *constant);
    Value value = cast<Value>(bound);
    if (auto product = value.getDefiningOp<arith::MulIOp>())
      if (auto factor = getConstantIntValue(product.getRhs())) {
        FailureOr<ExtentAttr> inner = traceBound(product.getLhs());
        if (failed(inner))
          return failure();
        return ExtentAttr::get(&getContext(), inner->getSymbol(), inner->getMultiplier() * *factor);
      }
    auto dim = value.getDefiningOp<tensor::DimOp>();
    auto argument = dim ? dyn_cast<BlockArgument>(dim.getSource()) : BlockArgument();
    auto index = dim ? dim.getConstantIndex() : std::nullopt;
    if (!argument || !index || argument.getOwner() != &getOperation().getBody().front())
      return failure();
    auto type = cast<RankedTensorType>(argument.getType());
    unsigned number = 0;
    for (int64_t before = 0; before < *index; ++before)
      number += type.isDynamicDim(before);
    return getOperation().getArgumentDims(argument.getArgNumber())[number];
  }

  LogicalResult recordGrid() {
    SmallVector<scf::ForallOp> grids(getOperation().getBody().front().getOps<scf::ForallOp>());
    if (grids.empty()) // every dimension fits into one task
      return getOperation()->setAttr(kimi::passes::kGridAttr, ArrayAttr::get(&getContext(), {})), success();
    if (grids.size() != 1)
      return getOperation().emitError() << "kernel '" << getOperation().getSymName() << "' has " << grids.size()
                                        << " grids but one launch runs one";
    SmallVector<Attribute> extents;
    for (auto [bound, step] : llvm::zip(grids[0].getMixedUpperBound(), grids[0].getMixedStep())) {
      FailureOr<ExtentAttr> extent = traceBound(bound);
      auto stride = getConstantIntValue(step);
      if (failed(extent) || !stride)
        return getOperation().emitError() << "kernel '" << getOperation().getSymName()
                                          << "' has a grid whose size is no product of step sizes";
      extents.push_back(ExtentAttr::get(&getContext(), extent->getSymbol(), extent->getMultiplier(),
                                        extent->getDivisor() * *stride));
    }
    getOperation()->setAttr(kimi::passes::kGridAttr, ArrayAttr::get(&getContext(), extents));
    return success();
  }

  bool layOutOwnGrid = false; // an operation wrote the kernel's grid, or needs none: one task
};

} // namespace
