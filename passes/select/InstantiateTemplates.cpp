#include "passes/select/InstantiateTemplates.h"

#include "dialects/kimi/Kimi.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using kimi::kernel::DimSymbol;
using kimi::kernel::FuncOp;
using kimi::model::EntryAttr;

namespace kimi::passes {

namespace {

/// The most rows of `kernel`'s result in a full step of `entry`; 0 where the entry does not say.
int64_t rowsOf(FuncOp kernel, EntryAttr entry) {
  SmallVector<kernel::ExtentAttr> dims = kernel.getNumResults() > 0 ? kernel.getResultDims(0) : SmallVector<kernel::ExtentAttr>();
  if (dims.empty() || dims[0].getMultiplier() != 1 || dims[0].getDivisor() != 1)
    return 0;
  switch (dims[0].getSymbol()) {
  case DimSymbol::tokens:
    return entry.getTokens();
  case DimSymbol::sequences:
    return entry.getSequences();
  case DimSymbol::logit_rows:
    return entry.getRows();
  default:
    return 0;
  }
}

class Instances {
public:
  Instances(ModuleOp module, ArrayRef<std::unique_ptr<Template>> templates, const Overrides &overrides)
      : symbols(module), templates(templates), overrides(overrides) {
    for (const auto &tuned : templates)
      refusals[tuned->name()] = ("there is nothing for it in " + tuned->reach()).str();
  }

  void run(ModuleOp module) {
    for (auto entry : llvm::to_vector(module.getOps<func::FuncOp>()))
      if (auto attribute = entry->getAttrOfType<EntryAttr>(model::kEntryAttr))
        for (auto [call, callee] : calleesOf(entry, attribute))
          setCallee(call, callee);
    eraseUnused(module);
  }

  Refusals takeRefusals() { return std::move(refusals); }

private:
  using Callees = SmallVector<std::pair<Operation *, StringAttr>>;

  /// What each call in `function` shall run when `entry` runs it.
  Callees calleesOf(func::FuncOp function, EntryAttr entry) {
    Callees callees;
    function.walk([&](Operation *op) {
      if (auto call = dyn_cast<kernel::CallOp>(op))
        callees.emplace_back(op, instanceOf(symbols.lookup<FuncOp>(call.getCallee()), entry));
      else if (auto call = dyn_cast<func::CallOp>(op))
        callees.emplace_back(op, instanceOf(symbols.lookup<func::FuncOp>(call.getCallee()), entry));
    });
    return callees;
  }

  static void setCallee(Operation *call, StringAttr callee) {
    call->setAttr("callee", FlatSymbolRefAttr::get(callee));
  }

  /// The copy of `function` whose calls run what `entry` wants; entries that want the same share it.
  StringAttr instanceOf(func::FuncOp function, EntryAttr entry) {
    Callees callees = calleesOf(function, entry);
    SmallVector<Attribute> wanted = {function.getSymNameAttr()};
    int64_t rows = 0;
    bool isChanged = false;
    for (auto [call, callee] : callees) {
      wanted.push_back(callee);
      isChanged |= call->getAttrOfType<FlatSymbolRefAttr>("callee").getAttr() != callee;
      rows = std::max(rows, rowsByName.lookup(callee));
    }
    if (!isChanged)
      return function.getSymNameAttr();
    auto [found, isNew] = functions.try_emplace(ArrayAttr::get(function.getContext(), wanted));
    if (isNew) {
      func::FuncOp copy = insertCopy(function, rows);
      for (auto [original, changed] : llvm::zip_equal(callees, callsOf(copy)))
        setCallee(changed, original.second);
      found->second = copy.getSymNameAttr();
    }
    return found->second;
  }

  static SmallVector<Operation *> callsOf(func::FuncOp function) {
    SmallVector<Operation *> calls;
    function.walk([&](Operation *op) {
      if (isa<kernel::CallOp, func::CallOp>(op))
        calls.push_back(op);
    });
    return calls;
  }

  /// The copy of `kernel` with a template's implementation for `entry`, or the kernel itself.
  StringAttr instanceOf(FuncOp kernel, EntryAttr entry) {
    int64_t rows = rowsOf(kernel, entry);
    for (const auto &tuned : templates)
      if (int64_t served = rows > 0 && isAllowed(*tuned, kernel, overrides) ? tuned->rowsServed(rows, entry.getKind()) : 0)
        if (StringAttr copy = instanceOf(kernel, *tuned, served))
          return copy;
    return kernel.getSymNameAttr();
  }

  StringAttr instanceOf(FuncOp kernel, const Template &tuned, int64_t rows) {
    auto [found, isNew] = kernels.try_emplace({kernel, &tuned, rows});
    if (!isNew)
      return found->second;
    llvm::Expected<DictionaryAttr> parameters = tuned.choose(kernel, rows);
    if (!parameters) {
      std::string why = llvm::toString(parameters.takeError());
      if (refusals.contains(tuned.name()))
        refusals[tuned.name()] = why;
      return {};
    }
    refusals.erase(tuned.name());
    FuncOp copy = insertCopy(kernel, rows);
    copy.setImplAttr(kernel::ImplAttr::get(kernel.getContext(), StringAttr::get(kernel.getContext(), tuned.name()), *parameters));
    rowsByName[copy.getSymNameAttr()] = rows;
    return kernels[{kernel, &tuned, rows}] = copy.getSymNameAttr();
  }

  template <typename Op> Op insertCopy(Op original, int64_t rows) {
    auto copy = cast<Op>(original->clone());
    copy.setSymName((original.getSymName() + (rows == kAnyRows ? kOverTemplates.str() : "_upto" + std::to_string(rows))).str());
    symbols.insert(copy, std::next(Block::iterator(original)));
    copied.insert(original);
    return copy;
  }

  /// Of what was copied. The functions that call a kernel go before it.
  void eraseUnused(ModuleOp module) {
    for (bool isErased = true; isErased;) {
      isErased = false;
      for (Operation *original : llvm::to_vector(copied))
        if (SymbolTable::symbolKnownUseEmpty(original, module)) {
          copied.remove(original);
          symbols.erase(original);
          isErased = true;
        }
    }
  }

  SymbolTable symbols;
  ArrayRef<std::unique_ptr<Template>> templates;
  const Overrides &overrides;
  std::map<std::tuple<Operation *, const Template *, int64_t>, StringAttr> kernels; // null: refused
  llvm::DenseMap<Attribute, StringAttr> functions;
  llvm::DenseMap<StringAttr, int64_t> rowsByName;
  Refusals refusals;
  llvm::SetVector<Operation *> copied;
};

} // namespace

Refusals instantiateTemplates(ModuleOp module, ArrayRef<std::unique_ptr<Template>> templates,
                              const Overrides &overrides) {
  Instances instances(module, templates, overrides);
  instances.run(module);
  return instances.takeRefusals();
}

} // namespace kimi::passes
