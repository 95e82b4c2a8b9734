// kimi-copy-blocks: one copy of each called function per entry.
#include "passes/plan/Capacity.h"
#include "passes/plan/Passes.h"

#include "llvm/ADT/MapVector.h"

namespace kimi::passes {
#define GEN_PASS_DEF_COPYBLOCKS
#include "passes/plan/Passes.h.inc"
} // namespace kimi::passes

using namespace mlir;

namespace {

struct CopyBlocks : kimi::passes::impl::CopyBlocksBase<CopyBlocks> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    SmallVector<func::FuncOp> entries, others;
    for (auto function : getOperation().getOps<func::FuncOp>())
      (kimi::passes::entryAttrOf(function) ? entries : others).push_back(function);
    if (entries.empty()) {
      getOperation().emitError("has no function with kimi.entry: nothing to plan (was `specialise` run?)");
      return signalPassFailure();
    }
    for (func::FuncOp entry : entries)
      if (failed(copyCallees(entry, symbols)))
        return signalPassFailure();
    for (func::FuncOp function : others)
      symbols.erase(function);
  }

  LogicalResult copyCallees(func::FuncOp entry, SymbolTable &symbols) {
    llvm::MapVector<Operation *, func::FuncOp> copies;
    for (auto call : entry.getOps<func::CallOp>()) {
      auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
      if (!callee || callee.isExternal())
        return call.emitError() << "calls '" << call.getCallee() << "' which has no body";
      if (kimi::passes::entryAttrOf(callee))
        return call.emitError() << "'" << entry.getSymName() << "' calls the entry '" << call.getCallee()
                                << "': entries call layers only";
      func::FuncOp &copy = copies[callee];
      if (!copy) {
        copy = callee.clone();
        copy.setSymName((callee.getSymName() + "." + entry.getSymName()).str());
        copy.setPrivate();
        symbols.insert(copy, entry->getIterator());
      }
      call.setCallee(copy.getSymName());
    }
    return success();
  }
};

} // namespace
