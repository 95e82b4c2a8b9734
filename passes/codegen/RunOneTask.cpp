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
    Block &body = getOperation().getBody().front();
    SmallVector<scf::ForallOp> grids(body.getOps<scf::ForallOp>());
    for (scf::ForallOp grid : grids)
      replace(grid);
    if (forGpu && grids.empty())
      keepToFirstBlock(body);
  }

  /// A kernel without a grid is one task.
  void keepToFirstBlock(Block &body) {
    SmallVector<Operation *> ops;
    for (Operation &op : body.without_terminator())
      ops.push_back(&op);
    OpBuilder b = OpBuilder::atBlockBegin(&body);
    Location loc = getOperation().getLoc();
    Value first = arith::ConstantIndexOp::create(b, loc, 0);
    Value isFirst = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, taskNumber(b, loc), first);
    Operation *end = scf::IfOp::create(b, loc, isFirst, /*withElseRegion=*/false).thenBlock()->getTerminator();
    for (Operation *op : ops)
      op->moveBefore(end);
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
