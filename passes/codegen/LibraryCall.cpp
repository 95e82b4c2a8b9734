#include "passes/codegen/LibraryCall.h"

#include "passes/select/LibraryProduct.h"

using namespace mlir;
using kimi::kernel::ExtentAttr;
using kimi::kernel::FuncOp;

namespace kimi::passes {

// No library asks for more, and no sum of arenas comes near 63 bits.
static constexpr int64_t kMostWorkspace = int64_t(1) << 32;

void addScratchResult(ModuleOp module, FuncOp kernel, RankedTensorType type, ArrayAttr dims) {
  auto attributes = DictionaryAttr::get(kernel.getContext(), NamedAttribute(
      StringAttr::get(kernel.getContext(), kernel::kDimsAttr), dims));
  if (failed(kernel.insertResult(kernel.getNumResults(), type, attributes)))
    llvm_unreachable("a kernel takes one more result");
  SmallVector<kernel::CallOp> calls;
  module.walk([&](kernel::CallOp call) {
    if (call.getCallee() == kernel.getSymName())
      calls.push_back(call);
  });
  for (kernel::CallOp call : calls) {
    OpBuilder b(call);
    OperationState state(call.getLoc(), call->getName(), call->getOperands(), kernel.getResultTypes(), call->getAttrs());
    Operation *wider = b.create(state);
    call->replaceAllUsesWith(wider->getResults().drop_back());
    call->erase();
  }
}

LogicalResult writeLibraryCall(ModuleOp module, FuncOp kernel) {
  llvm::Expected<SkinnyProduct> product = findLibraryProduct(kernel);
  if (!product)
    return kernel.emitError() << llvm::toString(product.takeError());
  if (!isWholeKernel(kernel, *product))
    return kernel.emitError() << "kernel '" << kernel.getSymName() << "': " << kCublasLt << " computes a product, as f32 or "
                              << "rounded to bf16; what else this kernel does must be a kernel of its own: run select again";
  auto workspace = kernel.getImplAttr().getParameters().getAs<IntegerAttr>("workspace");
  if (!workspace || workspace.getInt() < 1 || workspace.getInt() > kMostWorkspace)
    return kernel.emitError() << "kernel '" << kernel.getSymName() << "': " << kCublasLt
                              << " has one parameter, workspace, 1 to " << kMostWorkspace << " bytes, not "
                              << kernel.getImplAttr().getParameters();
  Builder b(kernel.getContext());
  auto elementOf = [](Type type) { return getElementTypeOrSelf(type); };
  int64_t result = kernel.getNumArguments();
  kernel->setAttr(kernel::kGridAttr, b.getArrayAttr({ExtentAttr::get(b.getContext(), product->rows)}));
  kernel->setAttr(kernel::kProductAttr,
                  kernel::MatrixProductAttr::get(b.getContext(), product->activations,
                                                 elementOf(kernel.getArgumentTypes()[product->activations]), product->weight,
                                                 elementOf(kernel.getArgumentTypes()[product->weight]), result,
                                                 elementOf(kernel.getResultTypes()[0]), result + 1,
                                                 workspace.getInt(), product->columns, product->depth));
  addScratchResult(module, kernel, RankedTensorType::get({workspace.getInt()}, b.getI8Type()), b.getArrayAttr({}));
  return success();
}

} // namespace kimi::passes
