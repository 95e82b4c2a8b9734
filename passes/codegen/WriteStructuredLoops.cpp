// kimi-write-structured-loops: every linalg operation of a kernel becomes loops.
#include "passes/codegen/Float8.h"
#include "passes/codegen/Passes.h"
#include "passes/codegen/StructuredLoops.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace kimi::passes {
#define GEN_PASS_DEF_WRITESTRUCTUREDLOOPS
#include "passes/codegen/Passes.h.inc"
} // namespace kimi::passes

using namespace mlir;

namespace {

struct WriteStructuredLoops : kimi::passes::impl::WriteStructuredLoopsBase<WriteStructuredLoops> {
  void runOnOperation() override {
    // Codes become arithmetic while their scale is still known to be one for a block.
    RewritePatternSet patterns(&getContext());
    kimi::passes::populateExpandFloat8Patterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
    IRRewriter rewriter(&getContext());
    SmallVector<memref::CopyOp> copies;
    getOperation().walk([&](memref::CopyOp copy) { copies.push_back(copy); });
    for (memref::CopyOp copy : copies) { // a copy would call a library
      rewriter.setInsertionPoint(copy);
      linalg::makeMemRefCopyOp(rewriter, copy.getLoc(), copy.getSource(), copy.getTarget());
      rewriter.eraseOp(copy);
    }
    SmallVector<linalg::LinalgOp> ops;
    getOperation().walk([&](linalg::LinalgOp op) { ops.push_back(op); });
    for (linalg::LinalgOp op : ops) {
      rewriter.setInsertionPoint(op);
      auto generic = dyn_cast<linalg::GenericOp>(op.getOperation());
      if (!generic) {
        FailureOr<linalg::GenericOp> general = linalg::generalizeNamedOp(rewriter, op);
        if (failed(general)) // every structured operation has a general form; upstream says why this one has none
          return signalPassFailure();
        generic = *general;
      }
      kimi::passes::writeLoops(generic);
    }
  }
};

} // namespace
