// kimi-peel-products: kernels of several products become kernels of one, where a template could serve them.
#include "passes/select/Overrides.h"
#include "passes/select/Passes.h"
#include "passes/select/SkinnyProduct.h"
#include "passes/select/Templates.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

namespace kimi::passes {
#define GEN_PASS_DEF_PEELPRODUCTS
#include "passes/select/Passes.h.inc"
} // namespace kimi::passes

using namespace mlir;
using kimi::kernel::FuncOp;
using kimi::passes::SkinnyProduct;

namespace {

/// The operations that make the sums of a product from the kernel's arguments, in order.
SmallVector<Operation *> operationsBehind(SkinnyProduct product) {
  SetVector<Operation *> slice;
  BackwardSliceOptions options;
  options.inclusive = true;
  options.omitBlockArguments = true;
  if (failed(getBackwardSlice(product.op.getOperation(), &slice, options)))
    llvm_unreachable("a kernel's body is one block");
  return llvm::to_vector(slice);
}

class Peeling {
public:
  Peeling(FuncOp kernel, SkinnyProduct product, SymbolTable &symbols)
      : kernel(kernel), product(product), symbols(symbols), ops(operationsBehind(product)) {}

  void run(ModuleOp module) {
    for (unsigned number = 0; number < kernel.getNumArguments(); ++number)
      if (llvm::any_of(kernel.getArgument(number).getUsers(), [&](Operation *user) { return llvm::is_contained(ops, user); }))
        arguments.push_back(number);
    FuncOp peeled = createKernel();
    unsigned numOld = kernel.getNumArguments();
    llvm::BitVector unused = replaceProduct(peeled);
    module.walk([&](kimi::kernel::CallOp call) {
      if (call.getCallee() == kernel.getSymName())
        rewriteCall(call, peeled, numOld, unused);
    });
  }

private:
  static NamedAttribute dims(FuncOp peeled) {
    return {StringAttr::get(peeled.getContext(), kimi::kernel::kDimsAttr),
            ArrayAttr::get(peeled.getContext(), llvm::to_vector_of<Attribute>(peeled.getResultDims(0)))};
  }

  /// The product's own kernel; its result is the sums, in f32.
  FuncOp createKernel() {
    OpBuilder b(kernel);
    SmallVector<Type> types;
    for (unsigned number : arguments)
      types.push_back(kernel.getArgumentTypes()[number]);
    auto peeled = FuncOp::create(b, kernel.getLoc(), "peeled",
                                 b.getFunctionType(types, product.op.getResult(0).getType()));
    peeled.setSymName((Twine(product.weightScales ? "dequantise_" : "") + "linear_" + Twine(product.columns) + "x" +
                       Twine(product.depth)).str());
    peeled.setPrivate();
    for (auto [index, number] : llvm::enumerate(arguments))
      peeled.setArgAttrs(index, kernel.getArgAttrDict(number));
    auto extent = kimi::kernel::ExtentAttr::get(b.getContext(), product.rows);
    peeled.setResultAttr(0, kimi::kernel::kDimsAttr, b.getArrayAttr({extent}));
    fillBody(peeled);
    shareOperations(peeled);
    symbols.insert(peeled, Block::iterator(kernel));
    return peeled;
  }

  void fillBody(FuncOp peeled) {
    Block &body = peeled.getBody().empty() ? peeled.getBody().emplaceBlock() : peeled.getBody().front();
    IRMapping mapping;
    for (unsigned number : arguments) {
      Value old = kernel.getArgument(number);
      mapping.map(old, body.addArgument(old.getType(), old.getLoc()));
    }
    OpBuilder b = OpBuilder::atBlockEnd(&body);
    for (Operation *op : ops)
      b.clone(*op, mapping);
    kimi::kernel::ReturnOp::create(b, kernel.getLoc(), mapping.lookup(product.op.getResult(0)));
  }

  /// Each of the kernel's operations is now in one of the two.
  void shareOperations(FuncOp peeled) {
    Builder b(kernel.getContext());
    SmallVector<Attribute> kept, moved;
    unsigned numDequantised = (product.weightScales ? 1 : 0) + (product.tokenScales ? 1 : 0), numProducts = 1;
    for (StringRef name : kimi::passes::operationsOf(kernel)) {
      unsigned *left = name == "dequantise" ? &numDequantised : name == "linear" ? &numProducts : nullptr;
      bool isMoved = left && *left > 0;
      if (isMoved)
        --*left;
      (isMoved ? moved : kept).push_back(b.getStringAttr(name));
    }
    peeled->setAttr(kimi::kernel::kOpsAttr, b.getArrayAttr(moved));
    kernel->setAttr(kimi::kernel::kOpsAttr, b.getArrayAttr(kept));
  }

  /// In the kernel the sums become its last argument. Returns which arguments nothing reads any more.
  llvm::BitVector replaceProduct(FuncOp peeled) {
    unsigned number = kernel.getNumArguments();
    if (failed(kernel.insertArgument(number, product.op.getResult(0).getType(),
                                     DictionaryAttr::get(kernel.getContext(), dims(peeled)), kernel.getLoc())))
      llvm_unreachable("a kernel takes one more argument");
    product.op.getResult(0).replaceAllUsesWith(kernel.getArgument(number));
    for (Operation *op : llvm::reverse(ops))
      if (op->use_empty())
        op->erase();
    llvm::BitVector unused(kernel.getNumArguments());
    for (BlockArgument argument : kernel.getArguments())
      unused[argument.getArgNumber()] = argument.use_empty();
    if (failed(kernel.eraseArguments(unused)))
      llvm_unreachable("arguments without uses");
    return unused;
  }

  void rewriteCall(kimi::kernel::CallOp call, FuncOp peeled, unsigned numOld, const llvm::BitVector &unused) {
    OpBuilder b(call);
    SmallVector<Value> read, kept;
    for (unsigned number : arguments)
      read.push_back(call.getOperand(number));
    auto sums = kimi::kernel::CallOp::create(b, call.getLoc(), peeled.getResultTypes(), peeled.getSymName(), read);
    for (unsigned number = 0; number < numOld; ++number)
      if (!unused[number])
        kept.push_back(call.getOperand(number));
    kept.push_back(sums.getResult(0));
    call->setOperands(kept);
  }

  FuncOp kernel;
  SkinnyProduct product;
  SymbolTable &symbols;
  SmallVector<Operation *> ops;
  SmallVector<unsigned> arguments; // that the product reads
};

/// Whether a template takes all products at once, with what follows them.
bool isServedWhole(FuncOp kernel) {
  llvm::Expected<SkinnyProduct> whole = kimi::passes::findSkinnyProduct(kernel);
  if (!whole)
    llvm::consumeError(whole.takeError());
  return bool(whole);
}

struct PeelProducts : kimi::passes::impl::PeelProductsBase<PeelProducts> {
  void runOnOperation() override {
    auto target = kimi::passes::Target::of(getOperation());
    if (failed(target))
      return signalPassFailure();
    auto templates = kimi::passes::templatesOf(getOperation(), **target);
    auto overrides = kimi::passes::Overrides::of(getOperation(), kimi::passes::implementationsOf(templates));
    if (failed(overrides))
      return signalPassFailure();
    SymbolTable symbols(getOperation());
    for (auto kernel : llvm::to_vector(getOperation().getOps<FuncOp>())) {
      bool isWanted = llvm::any_of(templates, [&](auto &tuned) { return overrides->allow(kernel, tuned->name()); });
      SmallVector<SkinnyProduct> products = isWanted ? kimi::passes::findSkinnyProducts(kernel) : SmallVector<SkinnyProduct>();
      if (products.size() < 2 || isServedWhole(kernel))
        continue;
      for (const SkinnyProduct &product : ArrayRef(products).drop_back())
        Peeling(kernel, product, symbols).run(getOperation());
    }
  }
};

} // namespace
