// kimi-verify-arena: runs every entry on a model of its arena.
#include "passes/plan/Capacity.h"
#include "passes/plan/Passes.h"

namespace kimi::passes {
#define GEN_PASS_DEF_VERIFYARENA
#include "passes/plan/Passes.h.inc"
} // namespace kimi::passes

using namespace mlir;
using namespace kimi::plan;
using KernelCall = kimi::kernel::CallOp;
using KernelFunc = kimi::kernel::FuncOp;

namespace {

/// Which value lies in which bytes, now.
class ArenaModel {
public:
  void write(Value value, ArenaAttr range, Operation *writer) {
    llvm::erase_if(contents, [&](const Content &content) {
      if (!content.range.overlaps(range) && content.value != value)
        return false;
      overwrittenBy[content.value] = writer;
      return true;
    });
    contents.push_back({value, range});
  }
  bool holds(Value value, ArenaAttr range) const {
    return llvm::any_of(contents, [&](const Content &c) { return c.value == value && c.range == range; });
  }
  /// The same bytes under the name they have in, or after, a call.
  void rename(Value from, Value to) {
    for (Content &content : contents)
      if (content.value == from)
        content.value = to;
  }
  Operation *whoOverwrote(Value value) const { return overwrittenBy.lookup(value); }

private:
  struct Content {
    Value value;
    ArenaAttr range;
  };
  SmallVector<Content> contents;
  llvm::DenseMap<Value, Operation *> overwrittenBy;
};

StringRef nameOf(Operation *op) {
  auto call = dyn_cast_or_null<KernelCall>(op);
  return call ? call.getCallee() : op ? op->getName().getStringRef() : "nothing";
}

class EntryRunner {
public:
  EntryRunner(func::FuncOp entry, SymbolTable &symbols)
      : symbols(symbols), capacity(entry->getAttrOfType<CapacityAttr>(kCapacityAttr)) {
    if (auto bytes = entry->getAttrOfType<IntegerAttr>(kArenaBytesAttr))
      arenaBytes = bytes.getInt();
  }

  LogicalResult run(func::FuncOp function) {
    if (!capacity)
      return function.emitError() << "has no " << kCapacityAttr << ": run kimi-assign-buffers first";
    for (Operation &op : function.getBody().front()) {
      if (auto call = dyn_cast<KernelCall>(op); call && failed(launch(call)))
        return failure();
      if (auto call = dyn_cast<func::CallOp>(op); call && failed(enter(call)))
        return failure();
    }
    return success();
  }

private:
  /// Where `value` lies: null where that is no arena buffer.
  ArenaAttr rangeOf(Value value) {
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      auto function = cast<func::FuncOp>(argument.getOwner()->getParentOp());
      return function.getArgAttrOfType<ArenaAttr>(argument.getArgNumber(), kArgumentBufferAttr);
    }
    auto buffers = value.getDefiningOp()->getAttrOfType<ArrayAttr>(kResultBuffersAttr);
    return buffers ? dyn_cast<ArenaAttr>(buffers[cast<OpResult>(value).getResultNumber()]) : ArenaAttr();
  }

  LogicalResult checkHolds(Operation *reader, Value value) {
    ArenaAttr range = rangeOf(value);
    if (!range || arena.holds(value, range))
      return success();
    Operation *writer = arena.whoOverwrote(value);
    return reader->emitError() << "'" << nameOf(reader) << "' reads " << range << " as '"
                               << nameOf(value.getDefiningOp()) << "' left it, but '" << nameOf(writer)
                               << "' has written there since";
  }

  LogicalResult checkBytes(KernelCall call, const Twine &what, ArenaAttr range, Type type,
                           ArrayRef<kimi::kernel::ExtentAttr> dims) {
    FailureOr<int64_t> bytes =
        kimi::passes::bytesOf(call, what, cast<RankedTensorType>(type), dims, capacity);
    if (failed(bytes))
      return failure();
    if (*bytes == range.getBytes())
      return success();
    return call.emitError() << "'" << call.getCallee() << "' takes " << *bytes << " bytes as " << what
                            << " but the buffer " << range << " has " << range.getBytes();
  }

  LogicalResult launch(KernelCall call) {
    auto callee = symbols.lookup<KernelFunc>(call.getCallee());
    for (auto [index, operand] : llvm::enumerate(call.getOperands())) {
      if (failed(checkHolds(call, operand)))
        return failure();
      if (ArenaAttr range = rangeOf(operand))
        if (failed(checkBytes(call, "operand " + Twine(index), range, operand.getType(),
                              callee.getArgumentDims(index))))
          return failure();
    }
    for (auto [index, result] : llvm::enumerate(call.getResults())) {
      ArenaAttr range = rangeOf(result);
      if (!range)
        continue;
      if (failed(checkBytes(call, "result " + Twine(index), range, result.getType(), callee.getResultDims(index))) ||
          failed(checkWrite(call, range)))
        return failure();
      arena.write(result, range, call);
    }
    // Results of one launch may not lie over each other either.
    for (Value result : call.getResults())
      if (failed(checkHolds(call, result)))
        return failure();
    return success();
  }

  LogicalResult checkWrite(KernelCall call, ArenaAttr range) {
    if (range.getOffset() < 0 || range.getOffset() % kArenaAlignment != 0 || range.getEnd() > arenaBytes)
      return call.emitError() << "'" << call.getCallee() << "' writes " << range << " in an arena of " << arenaBytes
                              << " bytes: offsets are multiples of " << kArenaAlignment << " inside it";
    for (Value operand : call.getOperands())
      if (ArenaAttr read = rangeOf(operand); read && read.overlaps(range))
        return call.emitError() << "'" << call.getCallee() << "' writes " << range << " over " << read
                                << ", which it reads";
    return success();
  }

  LogicalResult enter(func::CallOp call) {
    auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
    if (callee.isExternal() || callee.getNumArguments() == 0 || callee.getNumResults() != 1)
      return call.emitError() << "'" << call.getCallee() << "' has " << callee.getNumArguments() << " arguments and "
                              << callee.getNumResults() << " results: run kimi-assign-buffers first";
    Value argument = callee.getArgument(0), returned = callee.getBody().front().getTerminator()->getOperand(0);
    if (rangeOf(argument) != rangeOf(call.getOperand(0)) || rangeOf(returned) != rangeOf(call.getResult(0)))
      return call.emitError() << "'" << call.getCallee() << "' takes " << rangeOf(argument) << " and returns "
                              << rangeOf(returned) << " but the entry has " << rangeOf(call.getOperand(0)) << " and "
                              << rangeOf(call.getResult(0));
    if (failed(checkHolds(call, call.getOperand(0))))
      return failure();
    arena.rename(call.getOperand(0), argument);
    if (failed(run(callee)) || failed(checkHolds(call, returned)))
      return failure();
    arena.rename(returned, call.getResult(0));
    return success();
  }

  SymbolTable &symbols;
  CapacityAttr capacity;
  int64_t arenaBytes = 0;
  ArenaModel arena;
};

struct VerifyArena : kimi::passes::impl::VerifyArenaBase<VerifyArena> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (kimi::passes::entryAttrOf(function) && failed(EntryRunner(function, symbols).run(function)))
        return signalPassFailure();
    markAllAnalysesPreserved();
  }
};

} // namespace
