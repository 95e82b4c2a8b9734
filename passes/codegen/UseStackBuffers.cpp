// kimi-use-stack-buffers: local buffers of bounded size live on the task's stack.
#include "passes/codegen/LocalBuffers.h"
#include "passes/codegen/Passes.h"

namespace kimi::passes {
#define GEN_PASS_DEF_USESTACKBUFFERS
#include "passes/codegen/Passes.h.inc"
} // namespace kimi::passes

using namespace mlir;

namespace {

// Worker threads have 8 MiB; half of it leaves room for everything else.
constexpr int64_t kMaxStackBytes = 4 << 20;
constexpr int64_t kAlignment = 64;

struct UseStackBuffers : kimi::passes::impl::UseStackBuffersBase<UseStackBuffers> {
  void runOnOperation() override {
    SmallVector<memref::AllocOp> allocs;
    getOperation().walk([&](memref::AllocOp alloc) { allocs.push_back(alloc); });
    int64_t total = 0;
    for (memref::AllocOp alloc : allocs) {
      FailureOr<int64_t> bytes = replace(alloc);
      if (failed(bytes))
        return signalPassFailure();
      total += *bytes;
    }
    getOperation().walk([](memref::DeallocOp dealloc) { dealloc.erase(); });
    if (total > kMaxStackBytes) {
      getOperation().emitError() << "kernel '" << getOperation().getSymName() << "' needs " << total
                                 << " bytes of local buffers but a task has " << kMaxStackBytes
                                 << ": choose a smaller tile";
      signalPassFailure();
    }
  }

  FailureOr<int64_t> replace(memref::AllocOp alloc) {
    FailureOr<int64_t> bytes = kimi::passes::boundOf(alloc);
    if (failed(bytes))
      return failure();
    Location loc = alloc.getLoc();
    OpBuilder builder(&getContext());
    builder.setInsertionPointToStart(&getOperation().getBody().front());
    auto storage = memref::AllocaOp::create(builder, loc, MemRefType::get({*bytes}, builder.getI8Type()),
                                            builder.getI64IntegerAttr(kAlignment));
    builder.setInsertionPoint(alloc);
    Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
    Value view = memref::ViewOp::create(builder, loc, alloc.getType(), storage, zero, alloc.getDynamicSizes());
    alloc.replaceAllUsesWith(view);
    alloc.erase();
    return *bytes;
  }
};

} // namespace
