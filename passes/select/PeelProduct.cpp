#include "passes/select/PeelProduct.h"

#include "passes/select/Overrides.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using kimi::kernel::FuncOp;

namespace kimi::passes {

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

  FuncOp run(ModuleOp module) {
    for (unsigned number = 0; number < kernel.getNumArguments(); ++number)
      if (llvm::any_of(kernel.getArgument(number).getUsers(), [&](Operation *user) { return llvm::is_contained(ops, user); }))
        arguments.push_back(number);
    FuncOp peeled = createKernel();
    unsigned numOld = kernel.getNumArguments();
    llvm::BitVector unused = replaceProduct(peeled);
    module.walk([&](kernel::CallOp call) {
      if (call.getCallee() == kernel.getSymName())
        rewriteCall(call, peeled, numOld, unused);
    });
    return peeled;
  }

private:
  static NamedAttribute dims(FuncOp peeled) {
    return {StringAttr::get(peeled.getContext(), kernel::kDimsAttr),
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
    auto extent = kernel::ExtentAttr::get(b.getContext(), product.rows);
    peeled.setResultAttr(0, kernel::kDimsAttr, b.getArrayAttr({extent}));
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
    kernel::ReturnOp::create(b, kernel.getLoc(), mapping.lookup(product.op.getResult(0)));
  }

  /// Each of the kernel's operations is now in one of the two.
  void shareOperations(FuncOp peeled) {
    Builder b(kernel.getContext());
    SmallVector<Attribute> kept, moved;
    unsigned numDequantised = (product.weightScales ? 1 : 0) + (product.tokenScales ? 1 : 0), numProducts = 1;
    for (StringRef name : operationsOf(kernel)) {
      unsigned *left = name == "dequantise" ? &numDequantised : name == "linear" ? &numProducts : nullptr;
      bool isMoved = left && *left > 0;
      if (isMoved)
        --*left;
      (isMoved ? moved : kept).push_back(b.getStringAttr(name));
    }
    peeled->setAttr(kernel::kOpsAttr, b.getArrayAttr(moved));
    kernel->setAttr(kernel::kOpsAttr, b.getArrayAttr(kept));
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
    countRowsOfSums(kernel.getArgument(number));
    llvm::BitVector unused(kernel.getNumArguments());
    for (BlockArgument argument : kernel.getArguments())
      unused[argument.getArgNumber()] = argument.use_empty();
    if (failed(kernel.eraseArguments(unused)))
      llvm_unreachable("arguments without uses");
    return unused;
  }

  /// A kernel that asks the product's activations for their number only asks the sums.
  void countRowsOfSums(BlockArgument sums) {
    auto users = llvm::to_vector(kernel.getArgument(product.activations).getUsers());
    auto countsRows = [](Operation *user) {
      auto dim = dyn_cast<tensor::DimOp>(user);
      return dim && dim.getConstantIndex() == 0;
    };
    if (llvm::all_of(users, countsRows))
      for (Operation *user : users)
        cast<tensor::DimOp>(user).getSourceMutable().assign(sums);
  }

  void rewriteCall(kernel::CallOp call, FuncOp peeled, unsigned numOld, const llvm::BitVector &unused) {
    OpBuilder b(call);
    SmallVector<Value> read, kept;
    for (unsigned number : arguments)
      read.push_back(call.getOperand(number));
    auto sums = kernel::CallOp::create(b, call.getLoc(), peeled.getResultTypes(), peeled.getSymName(), read);
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

} // namespace

FuncOp peelProduct(ModuleOp module, FuncOp kernel, const SkinnyProduct &product, SymbolTable &symbols) {
  return Peeling(kernel, product, symbols).run(module);
}

} // namespace kimi::passes
