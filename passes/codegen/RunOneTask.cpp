// kimi-run-one-task: the grid loop becomes the task that the caller asks for, or that of the running block.
#include "passes/codegen/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace kimi::passes {
#define GEN_PASS_DEF_RUNONETASK
#include "passes/codegen/Passes.h.inc"
} // namespace kimi::passes

using namespace mlir;

namespace {

struct RunOneTask : kimi::passes::impl::RunOneTaskBase<RunOneTask> {
  using RunOneTaskBase::RunOneTaskBase;

  void runOnOperation() override {
    for (auto grid : llvm::make_early_inc_range(getOperation().getBody().front().getOps<scf::ForallOp>()))
      replace(grid);
  }

  void replace(scf::ForallOp grid) {
    OpBuilder b(grid);
    Location loc = grid.getLoc();
    Value task = taskNumber(b, loc), ofBlock = task, total;
    SmallVector<OpFoldResult> bounds = grid.getMixedUpperBound(), steps = grid.getMixedStep();
    // Row-major: the last dimension runs fastest.
    for (int64_t dim = bounds.size() - 1; dim >= 0; --dim) {
      Value bound = getValueOrCreateConstantIndexOp(b, loc, bounds[dim]);
      Value step = getValueOrCreateConstantIndexOp(b, loc, steps[dim]);
      Value count = arith::CeilDivUIOp::create(b, loc, bound, step);
      total = total ? arith::MulIOp::create(b, loc, total, count).getResult() : count;
      Value position = dim == 0 ? task : arith::RemUIOp::create(b, loc, task, count).getResult();
      if (dim != 0)
        task = arith::DivUIOp::create(b, loc, task, count);
      grid.getInductionVars()[dim].replaceAllUsesWith(arith::MulIOp::create(b, loc, position, step));
    }
    Operation *place = grid;
    if (forGpu) { // a launch may have more blocks than the step has tasks
      Value isTask = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, ofBlock, total);
      place = scf::IfOp::create(b, loc, isTask, /*withElseRegion=*/false).thenBlock()->getTerminator();
    }
    for (Operation &op : llvm::make_early_inc_range(grid.getBody()->without_terminator()))
      op.moveBefore(place);
    grid.erase();
  }

  Value taskNumber(OpBuilder &b, Location loc) {
    if (forGpu)
      return gpu::BlockIdOp::create(b, loc, gpu::Dimension::x);
    return arith::IndexCastOp::create(b, loc, b.getIndexType(), getOperation().getArgument(2));
  }
};

} // namespace
