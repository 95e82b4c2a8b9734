// kimi-join-readers: a template's kernel and the only reader of its result become one kernel.
#include "passes/select/Overrides.h"
#include "passes/select/Passes.h"
#include "passes/select/Templates.h"

#include "mlir/IR/IRMapping.h"

namespace kimi::passes {
#define GEN_PASS_DEF_JOINREADERS
#include "passes/select/Passes.h.inc"
} // namespace kimi::passes

using namespace mlir;
using kimi::kernel::CallOp;
using kimi::kernel::FuncOp;
using kimi::passes::Template;

namespace {

/// One kernel of two: `reader`'s argument `number` is `producer`'s result.
class Joining {
public:
  Joining(FuncOp producer, FuncOp reader, unsigned number) : producer(producer), reader(reader), number(number) {}

  FuncOp create() {
    OpBuilder b(producer);
    SmallVector<Type> types(producer.getArgumentTypes());
    for (unsigned argument : othersOfReader())
      types.push_back(reader.getArgumentTypes()[argument]);
    auto joined = FuncOp::create(b, producer.getLoc(), name(), b.getFunctionType(types, reader.getResultTypes()));
    joined.setPrivate();
    joined->setAttr(kimi::kernel::kOpsAttr, operations(b));
    setAttributes(joined);
    fillBody(joined);
    return joined;
  }

  SmallVector<Value> operandsOf(CallOp made, CallOp read) {
    SmallVector<Value> operands(made.getOperands());
    for (unsigned argument : othersOfReader())
      operands.push_back(read.getOperand(argument));
    return operands;
  }

private:
  SmallVector<unsigned> othersOfReader() {
    SmallVector<unsigned> others;
    for (unsigned argument = 0; argument < reader.getNumArguments(); ++argument)
      if (argument != number)
        others.push_back(argument);
    return others;
  }

  SmallVector<StringRef> allOperations() {
    SmallVector<StringRef> names = kimi::passes::operationsOf(producer);
    llvm::append_range(names, kimi::passes::operationsOf(reader));
    return names;
  }

  ArrayAttr operations(OpBuilder &b) { return b.getStrArrayAttr(allOperations()); }

  /// The producer's, whose sizes stay, with all operations.
  std::string name() {
    StringRef sizes = producer.getSymName();
    sizes.consume_front(kimi::passes::joinedNames(kimi::passes::operationsOf(producer)));
    return kimi::passes::joinedNames(allOperations()) + sizes.str();
  }

  void setAttributes(FuncOp joined) {
    for (unsigned argument = 0; argument < producer.getNumArguments(); ++argument)
      joined.setArgAttrs(argument, producer.getArgAttrDict(argument));
    for (auto [index, argument] : llvm::enumerate(othersOfReader()))
      joined.setArgAttrs(producer.getNumArguments() + index, reader.getArgAttrDict(argument));
    for (unsigned result = 0; result < reader.getNumResults(); ++result)
      joined.setResultAttrs(result, reader.getResultAttrDict(result));
  }

  void fillBody(FuncOp joined) {
    Block &body = joined.getBody().empty() ? joined.getBody().emplaceBlock() : joined.getBody().front();
    for (Type type : joined.getArgumentTypes())
      body.addArgument(type, joined.getLoc());
    OpBuilder b = OpBuilder::atBlockEnd(&body);
    IRMapping mapping;
    mapping.map(producer.getArguments(), body.getArguments().take_front(producer.getNumArguments()));
    cloneBody(producer, b, mapping);
    mapping.map(reader.getArgument(number), mapping.lookup(producer.getBody().front().getTerminator()->getOperand(0)));
    for (auto [index, argument] : llvm::enumerate(othersOfReader()))
      mapping.map(reader.getArgument(argument), body.getArgument(producer.getNumArguments() + index));
    cloneBody(reader, b, mapping);
    b.clone(*reader.getBody().front().getTerminator(), mapping);
  }

  static void cloneBody(FuncOp kernel, OpBuilder &b, IRMapping &mapping) {
    for (Operation &op : kernel.getBody().front().without_terminator())
      b.clone(op, mapping);
  }

  FuncOp producer, reader;
  unsigned number;
};

class Joiner {
public:
  Joiner(ModuleOp module, ArrayRef<std::unique_ptr<Template>> templates, const kimi::passes::Overrides &overrides)
      : symbols(module), templates(templates), overrides(overrides) {}

  SmallVector<CallOp> callsOfTemplates(ModuleOp module) {
    SmallVector<CallOp> calls;
    module.walk([&](CallOp call) {
      if (templateOf(symbols.lookup<FuncOp>(call.getCallee())))
        calls.push_back(call);
    });
    return calls;
  }

  void visit(CallOp made) {
    auto producer = symbols.lookup<FuncOp>(made.getCallee());
    const Template *tuned = templateOf(producer);
    if (!tuned || made.getNumResults() != 1 || !made.getResult(0).hasOneUse())
      return;
    OpOperand &use = *made.getResult(0).use_begin();
    auto read = dyn_cast<CallOp>(use.getOwner());
    auto reader = read ? symbols.lookup<FuncOp>(read.getCallee()) : FuncOp();
    if (!reader || templateOf(reader))
      return;
    Joining joining(producer, reader, use.getOperandNumber());
    FuncOp joined = joinedKernel(joining, producer, reader, use.getOperandNumber(), *tuned);
    if (!joined)
      return;
    OpBuilder b(read);
    auto call = CallOp::create(b, read.getLoc(), joined.getResultTypes(), joined.getSymName(), joining.operandsOf(made, read));
    read->replaceAllUsesWith(call->getResults());
    read.erase();
    made.erase();
  }

  /// Of the kernels that were joined, those that nobody calls by themselves any more.
  void eraseUnused(ModuleOp module) {
    for (FuncOp kernel : parts)
      if (SymbolTable::symbolKnownUseEmpty(kernel, module))
        symbols.erase(kernel);
  }

private:
  const Template *templateOf(FuncOp kernel) {
    for (const auto &tuned : templates)
      if (kernel.getImplAttr() && kernel.getImplAttr().getName().getValue() == tuned->name())
        return tuned.get();
    return nullptr;
  }

  /// Null where the template does not take both.
  FuncOp joinedKernel(Joining joining, FuncOp producer, FuncOp reader, unsigned number, const Template &tuned) {
    auto [found, isNew] = kernels.try_emplace({producer, reader, number});
    auto rows = producer.getImplAttr().getParameters().getAs<IntegerAttr>(kimi::passes::kRowsParameter);
    if (!isNew || !rows)
      return found->second;
    FuncOp joined = joining.create();
    symbols.insert(joined, Block::iterator(producer));
    llvm::Expected<DictionaryAttr> parameters = tuned.choose(joined, rows.getInt());
    if (!parameters || !overrides.allow(joined, tuned.name())) {
      llvm::consumeError(parameters.takeError());
      symbols.erase(joined);
      return {};
    }
    joined.setImplAttr(kimi::kernel::ImplAttr::get(joined.getContext(), producer.getImplAttr().getName(), *parameters));
    parts.insert(producer);
    parts.insert(reader);
    return kernels[{producer, reader, number}] = joined;
  }

  SymbolTable symbols;
  ArrayRef<std::unique_ptr<Template>> templates;
  const kimi::passes::Overrides &overrides;
  std::map<std::tuple<Operation *, Operation *, unsigned>, FuncOp> kernels;
  llvm::SetVector<FuncOp> parts;
};

struct JoinReaders : kimi::passes::impl::JoinReadersBase<JoinReaders> {
  void runOnOperation() override {
    auto target = kimi::passes::Target::of(getOperation());
    if (failed(target))
      return signalPassFailure();
    auto templates = kimi::passes::templatesOf(getOperation(), **target);
    auto overrides = kimi::passes::Overrides::of(getOperation(), kimi::passes::implementationsOf(templates));
    if (failed(overrides))
      return signalPassFailure();
    Joiner joiner(getOperation(), templates, *overrides);
    for (CallOp call : joiner.callsOfTemplates(getOperation()))
      joiner.visit(call);
    joiner.eraseUnused(getOperation());
  }
};

} // namespace
