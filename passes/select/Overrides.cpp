#include "passes/select/Overrides.h"

#include "dialects/kimi/Kimi.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using kimi::kernel::FuncOp;

namespace kimi::passes {

std::string joinedNames(ArrayRef<StringRef> operations) {
  SmallVector<StringRef> distinct;
  for (StringRef name : operations)
    if (distinct.empty() || distinct.back() != name)
      distinct.push_back(name);
  return llvm::join(distinct, "_");
}

SmallVector<StringRef> operationsOf(FuncOp kernel) {
  SmallVector<StringRef> names;
  if (auto ops = kernel->getAttrOfType<ArrayAttr>(kernel::kOpsAttr))
    for (auto name : ops.getAsRange<StringAttr>())
      names.push_back(name.getValue());
  return names;
}

static std::string sortedNames(const llvm::StringSet<> &names) {
  SmallVector<StringRef> sorted;
  for (const auto &name : names)
    sorted.push_back(name.getKey());
  llvm::sort(sorted);
  return llvm::join(sorted, ", ");
}

FailureOr<Overrides> Overrides::of(ModuleOp module, ArrayRef<StringRef> implementations) {
  Overrides overrides;
  auto texts = module->getAttrOfType<ArrayAttr>(kimi::model::kOverridesAttr);
  if (!texts)
    return overrides;
  llvm::StringSet<> ops;
  for (auto func : module.getOps<FuncOp>())
    for (StringRef name : operationsOf(func))
      ops.insert(name);
  for (auto text : texts.getAsRange<StringAttr>()) {
    auto [op, implementation] = text.getValue().split('=');
    if (op != "*" && !ops.contains(op))
      return module.emitError() << "--impl " << text.getValue() << ": no kernel holds an operation '" << op
                                << "'; operations here: " << sortedNames(ops);
    if (!llvm::is_contained(implementations, implementation))
      return module.emitError() << "--impl " << text.getValue() << ": '" << op << "' has no implementation '"
                                << implementation << "'; it can be served by: " << llvm::join(implementations, ", ");
    overrides.entries.emplace_back(op, implementation);
  }
  return overrides;
}

SmallVector<StringRef> Overrides::askedOf(FuncOp kernel, StringRef except) const {
  SmallVector<StringRef> ops = operationsOf(kernel), named, ofAll;
  for (auto [op, asked] : entries) {
    if (asked == except)
      continue;
    if (op == "*")
      ofAll.push_back(asked);
    else if (llvm::is_contained(ops, op))
      named.push_back(asked);
  }
  return named.empty() ? ofAll : named;
}

bool Overrides::allow(FuncOp kernel, StringRef implementation) const {
  return llvm::all_of(askedOf(kernel, /*except=*/kCublasLt), [&](StringRef asked) { return asked == implementation; });
}

bool Overrides::asksFor(FuncOp kernel, StringRef implementation) const {
  SmallVector<StringRef> asked = askedOf(kernel, /*except=*/"");
  return !asked.empty() && llvm::all_of(asked, [&](StringRef name) { return name == implementation; });
}

SmallVector<std::pair<StringRef, StringRef>> Overrides::demands() const {
  SmallVector<std::pair<StringRef, StringRef>> result;
  for (auto entry : entries)
    if (entry.second != kGenerated)
      result.push_back(entry);
  return result;
}

} // namespace kimi::passes
