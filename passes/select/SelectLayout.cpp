// kimi-select-layout: one layout per weight over all entries, and kernels that read it.
#include "dialects/kimi/Kimi.h"
#include "passes/Target.h"
#include "passes/select/PanelRewrite.h"
#include "passes/select/Passes.h"
#include "passes/select/ReadInPlace.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace kimi::passes {
#define GEN_PASS_DEF_SELECTLAYOUT
#include "passes/select/Passes.h.inc"
} // namespace kimi::passes

using namespace mlir;
using namespace kimi::model;
using kimi::kernel::FuncOp;

namespace {

using Argument = kimi::passes::KernelArgument;

struct SelectLayout : kimi::passes::impl::SelectLayoutBase<SelectLayout> {
  void runOnOperation() override {
    collectReaders();
    auto mode = getOperation()->getAttrOfType<StringAttr>(kWeightsAttr);
    if (mode && mode.getValue() == "reference") {
      if (failed(kimi::passes::readWeightsInPlace(readers)))
        signalPassFailure();
      return;
    }
    auto target = kimi::passes::Target::of(getOperation());
    if (failed(target))
      return signalPassFailure();
    if ((*target)->readsPanels())
      settle();
    Builder builder(&getContext());
    for (auto weight : getOperation().getOps<WeightOp>()) {
      bool panels = panelWeights.contains(weight);
      auto kind = panels ? kimi::kernel::LayoutKind::panel : kimi::kernel::LayoutKind::row_major;
      weight.setLayoutAttr(kimi::kernel::LayoutAttr::get(&getContext(), kind, panels ? kimi::kernel::kPanelWidth : 1));
    }
    llvm::SetVector<Operation *> changed;
    for (auto &[weight, arguments] : readers)
      for (Argument argument : arguments)
        if (!panelArguments.contains(argument))
          kimi::passes::readRowMajor(argument.first, argument.second);
    for (Argument argument : panelArguments) {
      kimi::passes::readPanels(argument.first, argument.second);
      changed.insert(argument.first);
    }
    for (Operation *func : changed)
      if (failed(kimi::passes::propagateSplitColumns(cast<FuncOp>(func))))
        return signalPassFailure();
  }

  void collectReaders() {
    readers.clear();
    panelWeights.clear();
    panelArguments.clear();
    SymbolTable symbols(getOperation());
    getOperation().walk([&](kimi::kernel::CallOp call) {
      auto func = symbols.lookup<FuncOp>(call.getCallee());
      for (auto [index, operand] : llvm::enumerate(call.getOperands()))
        if (auto load = operand.getDefiningOp<LoadWeightOp>())
          readers[symbols.lookup<WeightOp>(load.getWeight())].insert({func, static_cast<unsigned>(index)});
    });
  }

  /// Starts from all that could be panels and drops what disagrees until weights and readers agree.
  void settle() {
    for (auto &[weight, arguments] : readers) {
      panelWeights.insert(weight);
      for (Argument argument : arguments)
        if (kimi::passes::canReadPanels(argument.first, argument.second))
          panelArguments.insert(argument);
    }
    for (bool changed = true; changed;) {
      changed = false;
      for (auto &[weight, arguments] : readers) {
        bool allRead = llvm::all_of(arguments, [&](Argument a) { return panelArguments.contains(a); });
        if (panelWeights.contains(weight) && !allRead)
          changed |= panelWeights.remove(weight);
        if (!panelWeights.contains(weight))
          for (Argument argument : arguments)
            changed |= panelArguments.remove(argument);
      }
    }
  }

  kimi::passes::WeightReaders readers;
  llvm::SetVector<Operation *> panelWeights;
  llvm::SetVector<Argument> panelArguments;
};

} // namespace
