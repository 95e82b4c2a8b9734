// kimi-verify-all-shapes-local: no operation may say how a tensor is spread over ranks.
#include "passes/partition/Passes.h"

namespace kimi::passes {
#define GEN_PASS_DEF_VERIFYALLSHAPESLOCAL
#include "passes/partition/Passes.h.inc"
} // namespace kimi::passes

using namespace mlir;

namespace {

struct VerifyAllShapesLocal : kimi::passes::impl::VerifyAllShapesLocalBase<VerifyAllShapesLocal> {
  void runOnOperation() override {
    WalkResult result = getOperation().walk([](Operation *op) {
      if (!isa<shard::ShardOp, shard::ShardingOp>(op))
        return WalkResult::advance();
      op->emitOpError() << "spreads a tensor over ranks, but after partition every shape is local: resolve it in "
                           "partition, or place the model on 1 rank";
      return WalkResult::interrupt();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};

} // namespace
