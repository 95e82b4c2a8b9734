// kimi-use-shared-memory: local buffers of bounded size live in the block's shared memory, large ones in a workspace.
#include "passes/codegen/LocalBuffers.h"
#include "passes/codegen/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

namespace kimi::passes {
#define GEN_PASS_DEF_USESHAREDMEMORY
#include "passes/codegen/Passes.h.inc"
} // namespace kimi::passes

using namespace mlir;

namespace {

constexpr int64_t kAlignment = 128; // a line of shared memory's 32 banks

struct UseSharedMemory : kimi::passes::impl::UseSharedMemoryBase<UseSharedMemory> {
  using UseSharedMemoryBase::UseSharedMemoryBase;

  void runOnOperation() override {
    sharedBuffers.clear(); // one pass runs on several functions
    workspaceBuffers.clear();
    workspaceBytes = 0;
    FailureOr<int64_t> total = place(getOperation().getBody().front(), 0);
    if (failed(total))
      return signalPassFailure();
    if (*total > sharedBytes) {
      getOperation().emitError() << "kernel '" << getOperation().getSymName() << "' needs " << *total
                                 << " bytes of shared memory but a block has " << int64_t(sharedBytes)
                                 << ": choose a smaller tile";
      return signalPassFailure();
    }
    OpBuilder b(&getContext());
    getOperation()->setAttr(kimi::passes::kSharedBytesAttr, b.getI64IntegerAttr(*total));
    if (!workspaceBuffers.empty())
      moveToWorkspace();
    for (auto [alloc, offset] : sharedBuffers)
      moveToShared(alloc, offset);
  }

  /// Offsets of the buffers of `block`, from `begin` on; inner regions follow. Returns the end of the furthest.
  FailureOr<int64_t> place(Block &block, int64_t begin) {
    for (auto alloc : block.getOps<memref::AllocOp>()) {
      FailureOr<int64_t> bytes = kimi::passes::boundOf(alloc);
      if (failed(bytes) || failed(checkStays(alloc)))
        return failure();
      if (*bytes > sharedBytes / 2) {
        workspaceBuffers.push_back({alloc, workspaceBytes});
        workspaceBytes += llvm::alignTo(*bytes, kAlignment);
        continue;
      }
      sharedBuffers.push_back({alloc, begin});
      begin += llvm::alignTo(*bytes, kAlignment);
    }
    int64_t end = begin;
    for (Operation &op : block)
      for (Region &region : op.getRegions())
        for (Block &inner : region) {
          FailureOr<int64_t> innerEnd = place(inner, begin);
          if (failed(innerEnd))
            return failure();
          end = std::max(end, *innerEnd);
        }
    return end;
  }

  LogicalResult checkStays(memref::AllocOp alloc) {
    for (Operation *user : alloc->getUsers())
      if (isa<scf::YieldOp>(user))
        return alloc.emitError() << "kernel '" << getOperation().getSymName() << "' hands a local buffer "
                                 << alloc.getType() << " out of its region";
    return success();
  }

  void moveToShared(memref::AllocOp alloc, int64_t offset) {
    OpBuilder b(alloc);
    Location loc = alloc.getLoc();
    auto space = gpu::AddressSpaceAttr::get(&getContext(), gpu::AddressSpace::Workgroup);
    auto bytes = MemRefType::get({ShapedType::kDynamic}, b.getI8Type(), MemRefLayoutAttrInterface(), space);
    Value shared = gpu::DynamicSharedMemoryOp::create(b, loc, bytes);
    Value position = arith::ConstantIndexOp::create(b, loc, offset);
    MemRefType type = alloc.getType();
    auto there = MemRefType::get(type.getShape(), type.getElementType(), MemRefLayoutAttrInterface(), space);
    Value view = memref::ViewOp::create(b, loc, there, shared, position, alloc.getDynamicSizes());
    alloc.replaceAllUsesWith(memref::MemorySpaceCastOp::create(b, loc, type, view).getResult());
    alloc.erase();
  }

  void moveToWorkspace() {
    func::FuncOp func = getOperation();
    OpBuilder b(&getContext());
    auto type = MemRefType::get({ShapedType::kDynamic}, b.getI8Type());
    if (failed(func.insertArgument(func.getNumArguments(), type, {}, func.getLoc())))
      llvm_unreachable("a function takes one more argument");
    func->setAttr(kimi::passes::kWorkspaceBytesAttr, b.getI64IntegerAttr(workspaceBytes));
    b.setInsertionPointToStart(&func.getBody().front());
    Location loc = func.getLoc();
    Value block = gpu::BlockIdOp::create(b, loc, gpu::Dimension::x);
    Value base = arith::MulIOp::create(b, loc, block, arith::ConstantIndexOp::create(b, loc, workspaceBytes));
    for (auto [alloc, offset] : workspaceBuffers) {
      b.setInsertionPoint(alloc);
      Value position = arith::AddIOp::create(b, loc, base, arith::ConstantIndexOp::create(b, loc, offset));
      alloc.replaceAllUsesWith(memref::ViewOp::create(b, loc, alloc.getType(), func.getArguments().back(), position,
                                                      alloc.getDynamicSizes())
                                   .getResult());
      alloc.erase();
    }
  }

  SmallVector<std::pair<memref::AllocOp, int64_t>> sharedBuffers, workspaceBuffers; // and their offsets
  int64_t workspaceBytes = 0;
};

} // namespace
