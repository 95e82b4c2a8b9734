// kimi-distribute-to-threads: a task's code becomes that of a block of threads.
#include "passes/codegen/Passes.h"
#include "passes/codegen/ThreadLoops.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace kimi::passes {
#define GEN_PASS_DEF_DISTRIBUTETOTHREADS
#include "passes/codegen/Passes.h.inc"
} // namespace kimi::passes

using namespace mlir;
using kimi::passes::kBlockThreads;
using kimi::passes::kWarpThreads;

namespace {

struct DistributeToThreads : kimi::passes::impl::DistributeToThreadsBase<DistributeToThreads> {
  void runOnOperation() override {
    if (failed(makeGeneric()))
      return signalPassFailure();
    OpBuilder b = OpBuilder::atBlockBegin(&getOperation().getBody().front());
    Location loc = getOperation().getLoc();
    ids.thread = gpu::ThreadIdOp::create(b, loc, gpu::Dimension::x);
    Value warp = arith::ConstantIndexOp::create(b, loc, kWarpThreads);
    ids.warp = arith::DivUIOp::create(b, loc, ids.thread, warp);
    ids.lane = arith::RemUIOp::create(b, loc, ids.thread, warp);
    distribute(getOperation().getBody().front());
    mergeBarriers(getOperation().getBody().front());
  }

  /// Copies and named operations become generics; a copy onto itself disappears.
  LogicalResult makeGeneric() {
    IRRewriter rewriter(&getContext());
    SmallVector<memref::CopyOp> copies;
    getOperation().walk([&](memref::CopyOp copy) { copies.push_back(copy); });
    for (memref::CopyOp copy : copies) {
      rewriter.setInsertionPoint(copy);
      if (copy.getSource() != copy.getTarget())
        linalg::makeMemRefCopyOp(rewriter, copy.getLoc(), copy.getSource(), copy.getTarget());
      rewriter.eraseOp(copy);
    }
    SmallVector<linalg::LinalgOp> ops;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (!isa<linalg::GenericOp>(op.getOperation()))
        ops.push_back(op);
    });
    for (linalg::LinalgOp op : ops) {
      rewriter.setInsertionPoint(op);
      if (failed(linalg::generalizeNamedOp(rewriter, op)))
        return failure();
    }
    return success();
  }

  static bool holds(Operation *op, llvm::function_ref<bool(Operation *)> what) {
    return op->walk([&](Operation *inner) { return what(inner) ? WalkResult::interrupt() : WalkResult::advance(); })
        .wasInterrupted();
  }
  static bool computes(Operation *op) { return holds(op, llvm::IsaPred<linalg::LinalgOp>); }
  static bool writes(Operation *op) { return holds(op, llvm::IsaPred<memref::StoreOp>); }

  /// All threads run `block`; they share what computes and leave scalar writes to the first.
  void distribute(Block &block) {
    for (Operation &op : llvm::make_early_inc_range(block)) {
      if (auto generic = dyn_cast<linalg::GenericOp>(op)) {
        between(generic, [&] { kimi::passes::writeThreadLoops(generic, ids); });
      } else if (isa<memref::StoreOp>(op) || (op.getNumRegions() && writes(&op) && !computes(&op) && op.use_empty())) {
        between(&op, [&] { giveToFirstThread(&op); });
      } else {
        for (Region &region : op.getRegions())
          for (Block &inner : region)
            distribute(inner);
      }
    }
  }

  /// A barrier before and after what `write` puts in place of `op`.
  void between(Operation *op, llvm::function_ref<void()> write) {
    OpBuilder b(op);
    gpu::BarrierOp::create(b, op->getLoc());
    b.setInsertionPointAfter(op);
    gpu::BarrierOp::create(b, op->getLoc());
    write();
  }

  void giveToFirstThread(Operation *op) {
    OpBuilder b(op);
    Location loc = op->getLoc();
    Value zero = arith::ConstantIndexOp::create(b, loc, 0);
    Value isFirst = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, ids.thread, zero);
    auto ifOp = scf::IfOp::create(b, loc, isFirst, /*withElseRegion=*/false);
    op->moveBefore(ifOp.thenBlock()->getTerminator());
  }

  /// Of barriers with no memory access between them, one is enough.
  static void mergeBarriers(Block &block) {
    bool isOrdered = false;
    for (Operation &op : llvm::make_early_inc_range(block)) {
      for (Region &region : op.getRegions())
        for (Block &inner : region)
          mergeBarriers(inner);
      if (isa<gpu::BarrierOp>(op)) {
        if (isOrdered)
          op.erase();
        isOrdered = true;
      } else if (op.getNumRegions() || !(isPure(&op) || isa<memref::AllocOp>(op))) {
        isOrdered = false;
      }
    }
  }

  kimi::passes::ThreadIds ids;
};

} // namespace
