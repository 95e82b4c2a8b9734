// kimi-bufferize-kernel: kernels on tensors become functions on buffers, called through the kernel ABI.
#include "passes/codegen/KernelAbi.h"
#include "passes/codegen/Passes.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/Transforms.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/IRMapping.h"

namespace kimi::passes {
#define GEN_PASS_DEF_BUFFERIZEKERNEL
#include "passes/codegen/Passes.h.inc"
} // namespace kimi::passes

using namespace mlir;
using namespace kimi::kernel;

namespace {

MemRefType memrefOf(Type type) {
  if (auto memref = dyn_cast<MemRefType>(type))
    return memref;
  auto tensor = cast<RankedTensorType>(type);
  return MemRefType::get(tensor.getShape(), tensor.getElementType());
}

func::FuncOp createAbiFunction(FuncOp kernel, const kimi::passes::KernelAbi &abi) {
  OpBuilder builder(kernel);
  Location loc = kernel.getLoc();
  FunctionType type = abi.type(builder.getContext(), kernel.getNumArguments() + kernel.getNumResults());
  auto func = func::FuncOp::create(builder, loc, kernel.getSymName(), type);
  builder.setInsertionPointToStart(func.addEntryBlock());

  IRMapping mapping;
  for (auto [index, argument] : llvm::enumerate(kernel.getArguments())) {
    Value memref = abi.memref(builder, func, index, memrefOf(argument.getType()), kernel.getArgumentDims(index));
    if (isa<MemRefType>(argument.getType()))
      mapping.map(argument, memref);
    else
      mapping.map(argument, bufferization::ToTensorOp::create(builder, loc, argument.getType(), memref,
                                                              /*restrict=*/true));
  }
  SmallVector<Value> outs;
  for (auto [index, resultType] : llvm::enumerate(kernel.getResultTypes()))
    outs.push_back(abi.memref(builder, func, kernel.getNumArguments() + index, memrefOf(resultType),
                              kernel.getResultDims(index)));
  for (Operation &op : kernel.getBody().front().without_terminator())
    builder.clone(op, mapping);
  for (auto [value, out] : llvm::zip(kernel.getBody().front().getTerminator()->getOperands(), outs))
    bufferization::MaterializeInDestinationOp::create(builder, loc, Type(), mapping.lookup(value), out,
                                                      /*restrict=*/true, /*writable=*/true);
  func::ReturnOp::create(builder, loc);
  return func;
}

struct BufferizeKernel : kimi::passes::impl::BufferizeKernelBase<BufferizeKernel> {
  using BufferizeKernelBase::BufferizeKernelBase;

  void runOnOperation() override {
    std::unique_ptr<kimi::passes::KernelAbi> abi =
        forGpu ? kimi::passes::createBufferAbi() : kimi::passes::createPointerAbi();
    for (auto kernel : llvm::make_early_inc_range(getOperation().getOps<FuncOp>())) {
      func::FuncOp func = createAbiFunction(kernel, *abi);
      kernel.erase();
      if (failed(bufferize(func)))
        return signalPassFailure();
    }
  }

  LogicalResult bufferize(func::FuncOp func) {
    IRRewriter rewriter(&getContext());
    if (failed(bufferization::eliminateEmptyTensors(rewriter, func)))
      return failure();
    bufferization::OneShotBufferizationOptions options;
    options.allowUnknownOps = true; // the ABI's casts; they hold no tensors
    bufferization::BufferizationState state;
    return bufferization::runOneShotBufferize(func, options, state);
  }
};

} // namespace
