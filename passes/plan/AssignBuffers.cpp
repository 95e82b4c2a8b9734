// kimi-assign-buffers: a place in the arena for every value.
#include "passes/plan/Arena.h"
#include "passes/plan/Capacity.h"
#include "passes/plan/Passes.h"

namespace kimi::passes {
#define GEN_PASS_DEF_ASSIGNBUFFERS
#include "passes/plan/Passes.h.inc"
} // namespace kimi::passes

using namespace mlir;
using namespace kimi::plan;
using kimi::passes::Buffer;
using KernelCall = kimi::kernel::CallOp;
using KernelFunc = kimi::kernel::FuncOp;

namespace {

// The value that entries pass from call to call lies at the same place for all of them.
constexpr int64_t kHiddenOffset = 0;

/// Places the values of one function, given the capacity of the entry it belongs to.
class Placer {
public:
  Placer(func::FuncOp function, CapacityAttr capacity, SymbolTable &symbols)
      : function(function), capacity(capacity), symbols(symbols), isEntry(kimi::passes::entryAttrOf(function)) {}

  FailureOr<int64_t> place();

private:
  LogicalResult addOp(Operation &op);
  LogicalResult addKernelCall(KernelCall call);
  LogicalResult addCall(func::CallOp call);
  LogicalResult addOutput(kimi::model::StepOutputOp output);
  LogicalResult addArgument();
  LogicalResult addResult();
  LogicalResult checkHidden();
  int64_t lastUse(Value value);
  FailureOr<int64_t> argumentBytes(Value argument);
  void annotate();

  func::FuncOp function;
  CapacityAttr capacity;
  SymbolTable &symbols;
  bool isEntry;
  llvm::DenseMap<Operation *, int64_t> steps; // position of each operation
  SmallVector<Buffer> buffers;
  llvm::DenseMap<Value, unsigned> bufferOf;                   // index into buffers
  llvm::DenseMap<Value, kimi::model::StepOutputAttr> outputs; // values that are step outputs
  SmallVector<std::pair<Value, unsigned>> hidden;             // values at kHiddenOffset, in order of definition
};

/// How messages call a value: by the operation that writes it.
std::string nameOf(Value value) {
  if (auto call = value.getDefiningOp<KernelCall>())
    return ("the result of '" + call.getCallee() + "'").str();
  if (auto call = value.getDefiningOp<func::CallOp>())
    return ("the result of '" + call.getCallee() + "'").str();
  if (auto argument = dyn_cast<BlockArgument>(value))
    return "argument " + std::to_string(argument.getArgNumber());
  return "a value of '" + value.getDefiningOp()->getName().getStringRef().str() + "'";
}

int64_t Placer::lastUse(Value value) {
  int64_t last = isa<BlockArgument>(value) ? -1 : steps.lookup(value.getDefiningOp());
  for (Operation *user : value.getUsers())
    last = std::max(last, steps.lookup(user));
  return last;
}

/// What the kernels that read `argument` say about its size.
FailureOr<int64_t> Placer::argumentBytes(Value argument) {
  for (OpOperand &use : argument.getUses())
    if (auto call = dyn_cast<KernelCall>(use.getOwner())) {
      auto callee = symbols.lookup<KernelFunc>(call.getCallee());
      return kimi::passes::bytesOf(call, "operand " + Twine(use.getOperandNumber()),
                                   cast<RankedTensorType>(argument.getType()),
                                   callee.getArgumentDims(use.getOperandNumber()), capacity);
    }
  return function.emitError() << "no kernel of '" << function.getSymName() << "' reads " << nameOf(argument)
                              << ": its size is unknown";
}

/// The tensor argument of a layer function lies where entries put it.
LogicalResult Placer::addArgument() {
  SmallVector<BlockArgument> tensors;
  for (BlockArgument argument : function.getArguments())
    if (isa<RankedTensorType>(argument.getType()))
      tensors.push_back(argument);
  if (isEntry && function.getNumArguments() != 0)
    return function.emitError() << "entry '" << function.getSymName() << "' has " << function.getNumArguments()
                                << " arguments but entries read step inputs only";
  if (isEntry)
    return success();
  if (tensors.size() != 1 || function.getNumResults() != 1 || tensors[0].getArgNumber() != 0 ||
      function.getResultTypes()[0] != tensors[0].getType())
    return function.emitError() << "'" << function.getSymName() << "' has " << tensors.size()
                                << " tensor arguments and " << function.getNumResults()
                                << " results but a layer takes one tensor first and returns one of its type";
  FailureOr<int64_t> bytes = argumentBytes(tensors[0]);
  if (failed(bytes))
    return failure();
  hidden.push_back({tensors[0], buffers.size()});
  bufferOf[tensors[0]] = buffers.size();
  buffers.push_back({*bytes, -1, lastUse(tensors[0]), kHiddenOffset});
  return success();
}

/// Of the buffer that is this argument of the kernel's launches.
int64_t alignmentOf(KernelFunc callee, int64_t argument) {
  auto product = callee->getAttrOfType<kimi::kernel::MatrixProductAttr>(kProductAttr);
  return product && product.getWorkspace() == argument ? kWorkspaceAlignment : kArenaAlignment;
}

LogicalResult Placer::addKernelCall(KernelCall call) {
  auto callee = symbols.lookup<KernelFunc>(call.getCallee());
  int64_t step = steps.lookup(call);
  for (auto [index, result] : llvm::enumerate(call.getResults())) {
    FailureOr<int64_t> bytes =
        kimi::passes::bytesOf(call, "result " + Twine(index), cast<RankedTensorType>(result.getType()),
                              callee.getResultDims(index), capacity);
    if (failed(bytes))
      return failure();
    if (outputs.contains(result))
      continue;
    bool isHidden = llvm::any_of(result.getUsers(), llvm::IsaPred<func::CallOp, func::ReturnOp>);
    if (isHidden)
      hidden.push_back({result, buffers.size()});
    bufferOf[result] = buffers.size();
    buffers.push_back({*bytes, step, lastUse(result),
                       isHidden ? std::optional<int64_t>(kHiddenOffset) : std::nullopt,
                       alignmentOf(callee, callee.getNumArguments() + index)});
  }
  return success();
}

/// The callee has its own buffers: for one step, they take its part of the arena.
LogicalResult Placer::addCall(func::CallOp call) {
  if (!isEntry)
    return call.emitError() << "'" << function.getSymName() << "' calls '" << call.getCallee()
                            << "' but only entries call: a plan has blocks in entries, not blocks in blocks";
  auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
  auto arenaBytes = callee->getAttrOfType<IntegerAttr>(kArenaBytesAttr);
  if (!arenaBytes) {
    FailureOr<int64_t> placed = Placer(callee, capacity, symbols).place();
    if (failed(placed))
      return failure();
    arenaBytes = callee->getAttrOfType<IntegerAttr>(kArenaBytesAttr);
  }
  int64_t step = steps.lookup(call);
  buffers.push_back({arenaBytes.getInt(), step, step, 0});
  auto argument = callee.getArgAttrOfType<ArenaAttr>(0, kArgumentBufferAttr);
  Value passed = call.getOperand(0), result = call.getResult(0);
  if (!bufferOf.contains(passed))
    return call.emitError() << "'" << function.getSymName() << "' passes " << nameOf(passed) << " to '"
                            << call.getCallee() << "' but only results of kernels and layers can be passed on";
  if (int64_t bytes = buffers[bufferOf.lookup(passed)].bytes; !argument || bytes != argument.getBytes())
    return call.emitError() << "'" << call.getCallee() << "' takes a buffer of "
                            << (argument ? argument.getBytes() : 0) << " bytes but " << nameOf(passed) << " has "
                            << bytes;
  hidden.push_back({result, buffers.size()});
  bufferOf[result] = buffers.size();
  buffers.push_back({argument.getBytes(), step, lastUse(result), kHiddenOffset});
  return success();
}

LogicalResult Placer::addOutput(kimi::model::StepOutputOp output) {
  Value value = output.getValue();
  if (!isEntry || !value.getDefiningOp<KernelCall>())
    return output.emitError() << "step output '" << kimi::model::stringifyStepOutput(output.getOutput()) << "' in '"
                              << function.getSymName() << "' is " << nameOf(value)
                              << " but only a kernel in an entry can write it";
  auto attr = kimi::model::StepOutputAttr::get(output.getContext(), output.getOutput());
  auto [known, isNew] = outputs.try_emplace(value, attr);
  if (!isNew)
    return output.emitError() << nameOf(value) << " is both step output '"
                              << kimi::model::stringifyStepOutput(known->second.getValue()) << "' and '"
                              << kimi::model::stringifyStepOutput(output.getOutput())
                              << "': a buffer can be one only";
  if (llvm::any_of(value.getUsers(), llvm::IsaPred<func::CallOp>))
    return output.emitError() << nameOf(value) << " is a step output and is passed to a layer: it cannot be both";
  return success();
}

LogicalResult Placer::addOp(Operation &op) {
  if (auto call = dyn_cast<KernelCall>(op))
    return addKernelCall(call);
  if (auto call = dyn_cast<func::CallOp>(op))
    return addCall(call);
  if (isa<kimi::model::LoadWeightOp, kimi::model::LoadCacheOp, kimi::model::StepInputOp,
          kimi::model::StepOutputOp, func::ReturnOp>(op) ||
      op.hasTrait<OpTrait::ConstantLike>())
    return success();
  return op.emitError() << "'" << op.getName() << "' is left in '" << function.getSymName()
                        << "' but a plan has kernels only: run fuse .. codegen first";
}

/// Values that share the hidden place must follow one another: each is dead before the next is written.
LogicalResult Placer::checkHidden() {
  for (size_t i = 1; i < hidden.size(); ++i) {
    auto [before, beforeIndex] = hidden[i - 1];
    auto [next, nextIndex] = hidden[i];
    // A call reads its argument before its last launch writes the result: inside, its own check holds.
    bool handedOver = next.getDefiningOp<func::CallOp>() && next.getDefiningOp()->getOperand(0) == before;
    int64_t last = buffers[beforeIndex].last, first = buffers[nextIndex].first;
    if (last < first || (handedOver && last == first))
      continue;
    Operation *reader = nullptr;
    for (Operation *user : before.getUsers())
      if (steps.lookup(user) == last)
        reader = user;
    return reader->emitError() << "in '" << function.getSymName() << "', " << nameOf(next) << " (step " << first
                               << ") takes the place of " << nameOf(before) << ", which is still read at step "
                               << last;
  }
  return success();
}

/// The result must have been written by a kernel: then it was placed as hidden.
LogicalResult Placer::addResult() {
  for (Value returned : function.getBody().front().getTerminator()->getOperands())
    if (!returned.getDefiningOp<KernelCall>())
      return function.emitError() << "'" << function.getSymName() << "' returns " << nameOf(returned)
                                  << " but only the result of a kernel can be returned";
  return success();
}

void Placer::annotate() {
  MLIRContext *context = function.getContext();
  auto attributeOf = [&](Value value) -> Attribute {
    if (auto output = outputs.lookup(value))
      return output;
    const Buffer &buffer = buffers[bufferOf.lookup(value)];
    return ArenaAttr::get(context, *buffer.offset, buffer.bytes);
  };
  for (Operation &op : function.getBody().front())
    if (isa<KernelCall, func::CallOp>(op))
      op.setAttr(kResultBuffersAttr, ArrayAttr::get(context, llvm::map_to_vector(op.getResults(), attributeOf)));
  for (BlockArgument argument : function.getArguments())
    if (bufferOf.contains(argument))
      function.setArgAttr(argument.getArgNumber(), kArgumentBufferAttr, attributeOf(argument));
}

FailureOr<int64_t> Placer::place() {
  if (!function.getBody().hasOneBlock())
    return function.emitError() << "'" << function.getSymName() << "' has control flow; a plan is a straight list";
  for (auto [index, op] : llvm::enumerate(function.getBody().front()))
    steps[&op] = index;
  for (auto output : function.getOps<kimi::model::StepOutputOp>())
    if (failed(addOutput(output)))
      return failure();
  if (failed(addArgument()) || failed(addResult()))
    return failure();
  for (Operation &op : function.getBody().front())
    if (failed(addOp(op)))
      return failure();
  if (failed(checkHidden()))
    return failure();
  int64_t arenaBytes = kimi::passes::placeBuffers(buffers);
  annotate();
  function->setAttr(kArenaBytesAttr, Builder(function.getContext()).getI64IntegerAttr(arenaBytes));
  return arenaBytes;
}

struct AssignBuffers : kimi::passes::impl::AssignBuffersBase<AssignBuffers> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (!kimi::passes::entryAttrOf(function))
        continue;
      CapacityAttr capacity = kimi::passes::capacityOf(function);
      if (!capacity)
        return signalPassFailure();
      FailureOr<int64_t> arenaBytes = Placer(function, capacity, symbols).place();
      if (failed(arenaBytes))
        return signalPassFailure();
      function->setAttr(kCapacityAttr, capacity);
      largestArena = std::max<uint64_t>(largestArena, *arenaBytes);
    }
  }
};

} // namespace
