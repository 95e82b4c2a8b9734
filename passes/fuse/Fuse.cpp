// kimi-fuse: outlines every fusion group as a kernel.func and calls it.
#include "passes/fuse/DimAnalysis.h"
#include "passes/fuse/FusionGroups.h"
#include "passes/fuse/Passes.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/StringMap.h"

namespace kimi::passes {
#define GEN_PASS_DEF_FUSE
#include "passes/fuse/Passes.h.inc"
} // namespace kimi::passes

using namespace mlir;
using namespace kimi::model;
namespace kernel = kimi::kernel;
using kimi::passes::DimAnalysis;
using kimi::passes::FusionGroup;

namespace {

/// The operations of a kernel in their order: what its operands are made of, then the group's own.
SmallVector<Operation *> opsOf(const FusionGroup &group) {
  SmallVector<Operation *> ops;
  for (Operation *op : group.ops)
    for (Value operand : op->getOperands())
      if (Operation *producer = operand.getDefiningOp(); kimi::passes::isOperand(producer))
        ops.push_back(producer);
  ops.append(group.ops);
  return ops;
}

/// "linear_swiglu_round_64x256": the operations, each named once, then the sizes that make this kernel differ.
std::string kernelName(const FusionGroup &group, ArrayRef<Value> inputs, ArrayRef<Value> outputs) {
  std::string name;
  StringRef previous;
  for (Operation *op : opsOf(group)) {
    StringRef mnemonic = op->getName().stripDialect();
    if (mnemonic != previous)
      name += (name.empty() ? "" : "_") + mnemonic.str();
    previous = mnemonic;
  }
  Value sized = outputs.empty() ? group.ops[0]->getOperand(group.ops[0]->getNumOperands() - 1) : outputs[0];
  for (Value input : inputs)
    if (isa_and_nonnull<LoadWeightOp>(input.getDefiningOp())) {
      sized = input;
      break;
    }
  std::string sizes;
  for (int64_t size : cast<ShapedType>(sized.getType()).getShape())
    if (size != ShapedType::kDynamic)
      sizes += (sizes.empty() ? "" : "x") + std::to_string(size);
  return sizes.empty() ? name : name + "_" + sizes;
}

/// A view's source is the kernel's argument; the view itself is repeated inside.
Value sourceOf(Value value) {
  while (kimi::passes::isView(value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  return value;
}

class Outliner {
public:
  Outliner(ModuleOp module) : module(module), builder(module.getContext()) {}

  LogicalResult outline(FusionGroup &group, const DimAnalysis &dims);
  unsigned numKernels() const { return kernels.size(); }

private:
  void findInterface(const FusionGroup &group);
  void addInputs(Operation *op, const FusionGroup &group, llvm::SetVector<Value> &in);
  kernel::FuncOp declare(const FusionGroup &group, const DimAnalysis &dims);
  LogicalResult fillBody(kernel::FuncOp func, const FusionGroup &group);
  Value mapped(Value value, IRMapping &mapping);
  kernel::FuncOp deduplicate(kernel::FuncOp func);

  ModuleOp module;
  OpBuilder builder;
  SmallVector<Value> inputs, outputs;
  llvm::StringMap<kernel::FuncOp> kernels; // by text without the name
  llvm::StringMap<unsigned> namesTaken;
};

void Outliner::addInputs(Operation *op, const FusionGroup &group, llvm::SetVector<Value> &in) {
  for (Value operand : op->getOperands()) {
    Value source = sourceOf(operand);
    if (kimi::passes::isOperand(source.getDefiningOp()))
      addInputs(source.getDefiningOp(), group, in);
    else if (!source.getDefiningOp() || !llvm::is_contained(group.ops, source.getDefiningOp()))
      in.insert(source);
  }
}

void Outliner::findInterface(const FusionGroup &group) {
  llvm::SetVector<Value> in, out;
  auto inGroup = [&](Operation *op) { return op && llvm::is_contained(group.ops, op); };
  for (Operation *op : group.ops) {
    addInputs(op, group, in);
    for (Value result : op->getResults())
      if (llvm::any_of(result.getUsers(), [&](Operation *user) { return !inGroup(user); }))
        out.insert(result);
  }
  inputs = in.takeVector();
  outputs = out.takeVector();
}

kernel::FuncOp Outliner::declare(const FusionGroup &group, const DimAnalysis &dims) {
  SmallVector<Type> argumentTypes, resultTypes;
  for (Value input : inputs) {
    auto cache = dyn_cast<CacheType>(input.getType());
    argumentTypes.push_back(cache ? Type(cacheMemRef(cache)) : input.getType());
  }
  for (Value output : outputs)
    resultTypes.push_back(output.getType());
  auto func = kernel::FuncOp::create(builder, group.ops[0]->getLoc(), kernelName(group, inputs, outputs),
                                     builder.getFunctionType(argumentTypes, resultTypes));
  auto attribute = [&](const Extents &extents) {
    return builder.getArrayAttr(SmallVector<Attribute>(extents.begin(), extents.end()));
  };
  for (auto [index, input] : llvm::enumerate(inputs)) {
    if (isa<CacheType>(input.getType()))
      func.setArgAttr(index, kernel::kDimsAttr,
                      builder.getArrayAttr(kernel::ExtentAttr::get(module.getContext(),
                                                                   kernel::DimSymbol::cache_blocks)));
    else if (!dims.of(input).empty())
      func.setArgAttr(index, kernel::kDimsAttr, attribute(dims.of(input)));
    if (isa_and_nonnull<LoadWeightOp>(input.getDefiningOp()))
      func.setArgAttr(index, kernel::kWeightAttr, TypeAttr::get(input.getType()));
  }
  for (auto [index, output] : llvm::enumerate(outputs))
    if (!dims.of(output).empty())
      func.setResultAttr(index, kernel::kDimsAttr, attribute(dims.of(output)));
  SmallVector<Attribute> names;
  for (Operation *op : opsOf(group))
    names.push_back(builder.getStringAttr(op->getName().stripDialect()));
  func->setAttr(kernel::kOpsAttr, builder.getArrayAttr(names));
  return func;
}

/// `value` inside the kernel: an argument, an operation's result, or a view or an operand's operation repeated here.
Value Outliner::mapped(Value value, IRMapping &mapping) {
  if (mapping.contains(value))
    return mapping.lookup(value);
  Operation *view = value.getDefiningOp();
  if (kimi::passes::isOperand(view)) {
    SmallVector<Value> operands;
    for (Value operand : view->getOperands())
      operands.push_back(mapped(operand, mapping));
    FailureOr<SmallVector<Value>> results = cast<ModelOpInterface>(view).buildBody(builder, operands);
    if (failed(results))
      return {};
    mapping.map(view->getResults(), *results);
    return mapping.lookup(value);
  }
  mapped(view->getOperand(0), mapping);
  for (Value size : view->getOperands().drop_front()) // dynamic sizes: constants or tensor.dim of the source
    if (!mapping.contains(size)) {
      Operation *sizeOp = size.getDefiningOp();
      for (Value operand : sizeOp->getOperands())
        if (!mapping.contains(operand) && operand.getDefiningOp() && !isa<TensorType>(operand.getType()))
          builder.clone(*operand.getDefiningOp(), mapping);
        else if (!mapping.contains(operand))
          mapped(operand, mapping);
      builder.clone(*sizeOp, mapping);
    }
  return builder.clone(*view, mapping)->getResult(0);
}

LogicalResult Outliner::fillBody(kernel::FuncOp func, const FusionGroup &group) {
  OpBuilder::InsertionGuard guard(builder);
  Block *entry = builder.createBlock(&func.getBody());
  for (Type type : func.getArgumentTypes())
    entry->addArgument(type, func.getLoc());
  IRMapping mapping;
  mapping.map(inputs, entry->getArguments());
  for (Operation *op : group.ops) {
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      operands.push_back(mapped(operand, mapping));
    if (llvm::is_contained(operands, Value()))
      return failure();
    FailureOr<SmallVector<Value>> results = cast<ModelOpInterface>(op).buildBody(builder, operands);
    if (failed(results))
      return failure();
    mapping.map(op->getResults(), *results);
  }
  SmallVector<Value> returned;
  for (Value output : outputs)
    returned.push_back(mapping.lookup(output));
  kernel::ReturnOp::create(builder, func.getLoc(), returned);
  return success();
}

/// Equal bodies and attributes are one kernel; different ones with the same name get a number.
kernel::FuncOp Outliner::deduplicate(kernel::FuncOp func) {
  std::string name = func.getSymName().str(), text;
  func.setSymName("kernel");
  llvm::raw_string_ostream(text) << func;
  auto [found, isNew] = kernels.try_emplace(text, func);
  if (!isNew) {
    func.erase();
    return found->second;
  }
  unsigned count = ++namesTaken[name];
  func.setSymName(count == 1 ? name : name + "_v" + std::to_string(count));
  return func;
}

LogicalResult Outliner::outline(FusionGroup &group, const DimAnalysis &dims) {
  findInterface(group);
  builder.setInsertionPointToEnd(module.getBody());
  kernel::FuncOp func = declare(group, dims);
  if (failed(fillBody(func, group)))
    return failure();
  func = deduplicate(func);
  func.setVisibility(SymbolTable::Visibility::Private);
  Operation *first = group.ops[0];
  for (Value input : inputs) // loads and step inputs have no order
    if (Operation *load = input.getDefiningOp(); isa_and_nonnull<LoadWeightOp, LoadCacheOp, StepInputOp>(load))
      if (first->isBeforeInBlock(load))
        load->moveBefore(first);
  builder.setInsertionPoint(first);
  SmallVector<Type> types;
  for (Value output : outputs)
    types.push_back(output.getType());
  auto call = kernel::CallOp::create(builder, first->getLoc(), types, func.getSymName(), inputs);
  for (auto [output, result] : llvm::zip(outputs, call.getResults()))
    output.replaceAllUsesWith(result);
  return success();
}

struct Fuse : kimi::passes::impl::FuseBase<Fuse> {
  void runOnOperation() override {
    Outliner outliner(getOperation());
    for (auto function : llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>()))
      if (!function.isExternal() && failed(fuse(function, outliner)))
        return signalPassFailure();
    numKernels = outliner.numKernels();
  }

  LogicalResult fuse(func::FuncOp function, Outliner &outliner) {
    DimAnalysis dims(function);
    auto groups = kimi::passes::formGroups(function);
    // Later groups read results of earlier ones; each call takes over its outputs' uses, so dims must be asked by the
    // original values: groups are outlined last to first.
    for (auto &group : llvm::reverse(groups))
      if (failed(outliner.outline(*group, dims)))
        return failure();
    SmallVector<Operation *> ops;
    for (Operation &op : function.getBody().front())
      if (isa<ModelOpInterface, tensor::DimOp>(op) || kimi::passes::isView(&op))
        ops.push_back(&op);
    for (Operation *op : llvm::reverse(ops)) {
      if (!op->use_empty())
        return op->emitOpError() << "is read by something that is no kernel: only kernels read views";
      op->erase();
    }
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(function.getBody().front())))
      if (isOpTriviallyDead(&op))
        op.erase();
    return success();
  }
};

} // namespace
