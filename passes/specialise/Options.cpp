#include "passes/specialise/Options.h"

#include "dialects/kimi/Kimi.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace kimi::passes {

// Beyond this an entry is a mistake; products with it stay far below 2^63.
constexpr int64_t kMaxOption = 1 << 20;

static Attribute findOption(ModuleOp module, StringRef name) {
  auto options = module->getAttrOfType<DictionaryAttr>(model::kOptionsAttr);
  return options ? options.get(name) : Attribute();
}

FailureOr<int64_t> readPositiveOption(ModuleOp module, StringRef name, int64_t fallback) {
  Attribute option = findOption(module, name);
  if (!option)
    return fallback;
  auto number = dyn_cast<IntegerAttr>(option);
  if (!number || number.getValue().getSignificantBits() > 63 || number.getInt() < 1 || number.getInt() > kMaxOption)
    return module.emitError() << model::kOptionsAttr << " says " << name << " = " << option
                              << " but it must be an integer from 1 to " << kMaxOption;
  return number.getInt();
}

FailureOr<std::string> readChoiceOption(ModuleOp module, StringRef name, ArrayRef<StringRef> allowed) {
  Attribute option = findOption(module, name);
  if (!option)
    return allowed.front().str();
  auto text = dyn_cast<StringAttr>(option);
  if (!text || !llvm::is_contained(allowed, text.getValue()))
    return module.emitError() << model::kOptionsAttr << " says " << name << " = " << option
                              << " but it must be one of: " << llvm::join(allowed, ", ");
  return text.getValue().str();
}

} // namespace kimi::passes
