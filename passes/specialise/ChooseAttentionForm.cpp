// kimi-choose-attention-form: absorbed everywhere, or expanded in mixed entries where kimi.options asks for it.
#include "passes/specialise/Options.h"
#include "passes/specialise/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/MapVector.h"

namespace kimi::passes {
#define GEN_PASS_DEF_CHOOSEATTENTIONFORM
#include "passes/specialise/Passes.h.inc"
} // namespace kimi::passes

using namespace mlir;
using kimi::model::AttentionForm;
using kimi::model::EntryAttr;
using kimi::model::EntryKind;
using kimi::model::LatentAttentionOp;

namespace {

void setForms(Operation *root, AttentionForm form) {
  root->walk([&](LatentAttentionOp attention) {
    if (!attention.getForm())
      attention.setForm(form);
  });
}

bool isMixed(func::FuncOp func) {
  auto entry = func->getAttrOfType<EntryAttr>(kimi::model::kEntryAttr);
  return entry && entry.getKind() == EntryKind::mixed;
}

struct ChooseAttentionForm : kimi::passes::impl::ChooseAttentionFormBase<ChooseAttentionForm> {
  void runOnOperation() override;

  LogicalResult expandMixedEntries();
  /// The copy of `layer` for mixed entries, made once; `layer` itself where no attention is inside.
  FailureOr<StringAttr> copyForMixed(func::FuncOp layer);

  llvm::MapVector<Operation *, StringAttr> copies;
};

FailureOr<StringAttr> ChooseAttentionForm::copyForMixed(func::FuncOp layer) {
  if (auto copy = copies.find(layer); copy != copies.end())
    return copy->second;
  const bool hasAttention = layer.walk([](LatentAttentionOp) { return WalkResult::interrupt(); }).wasInterrupted();
  if (!hasAttention)
    return copies[layer] = layer.getSymNameAttr();
  auto name = StringAttr::get(&getContext(), layer.getSymName() + "_mixed");
  if (Operation *taken = SymbolTable::lookupSymbolIn(getOperation(), name))
    return taken->emitError() << "the name @" << name.getValue() << " is needed for the copy of @"
                              << layer.getSymName() << " that mixed entries call: rename this symbol";
  OpBuilder builder(layer->getContext());
  builder.setInsertionPointAfter(layer);
  auto copy = cast<func::FuncOp>(builder.clone(*layer));
  copy.setSymNameAttr(name);
  setForms(copy, AttentionForm::expanded);
  return copies[layer] = name;
}

LogicalResult ChooseAttentionForm::expandMixedEntries() {
  ModuleOp module = getOperation();
  SmallVector<func::CallOp> calls;
  bool hasMixed = false;
  for (auto entry : module.getOps<func::FuncOp>())
    if (isMixed(entry)) {
      hasMixed = true;
      entry.walk([&](func::CallOp call) { calls.push_back(call); });
      setForms(entry, AttentionForm::expanded);
    }
  if (!hasMixed)
    return module.emitError() << "prefill_attention is \"expanded\" but no function has " << kimi::model::kEntryAttr
                              << " of the kind mixed: run kimi-specialise first";
  for (func::CallOp call : calls) {
    auto layer = module.lookupSymbol<func::FuncOp>(call.getCallee());
    FailureOr<StringAttr> copy = copyForMixed(layer);
    if (failed(copy))
      return failure();
    call.setCallee(copy->getValue());
  }
  return success();
}

void ChooseAttentionForm::runOnOperation() {
  FailureOr<std::string> prefill =
      kimi::passes::readChoiceOption(getOperation(), "prefill_attention", {"absorbed", "expanded"});
  if (failed(prefill) || (*prefill == "expanded" && failed(expandMixedEntries())))
    return signalPassFailure();
  setForms(getOperation(), AttentionForm::absorbed);
}

} // namespace
