#include "passes/plan/Capacity.h"

using namespace mlir;

namespace kimi::passes {

// The most biases that OpenAI's API accepts in one request.
static constexpr int64_t kBiasPerRow = 300;
// Distinct tokens of prompt and output that penalties look at.
static constexpr int64_t kPenaltiesPerRow = 4096;
// No arena is larger: sizes beyond it are a mistake, and sums of sizes below it cannot overflow.
static constexpr int64_t kMaxBufferBytes = int64_t(1) << 44;

model::EntryAttr entryAttrOf(func::FuncOp function) {
  return function->getAttrOfType<model::EntryAttr>(model::kEntryAttr);
}

/// `key` of the dictionary `name` of the module, if it is there.
static std::optional<int64_t> numberOf(ModuleOp module, StringRef name, StringRef key) {
  auto dictionary = module->getAttrOfType<DictionaryAttr>(name);
  auto number = dictionary ? dictionary.getAs<IntegerAttr>(key) : IntegerAttr();
  if (!number)
    return std::nullopt;
  return number.getInt();
}

plan::CapacityAttr capacityOf(func::FuncOp entry) {
  auto module = entry->getParentOfType<ModuleOp>();
  std::optional<int64_t> context = numberOf(module, model::kModelAttr, "context");
  if (!context || *context < 1) {
    entry.emitError() << "the module's " << model::kModelAttr << " has no context length: was it imported?";
    return {};
  }
  model::EntryAttr attr = entryAttrOf(entry);
  int64_t rows = attr.getRows();
  int64_t bias = numberOf(module, model::kOptionsAttr, "bias_per_row").value_or(kBiasPerRow);
  int64_t penalties =
      numberOf(module, model::kOptionsAttr, "penalties_per_row").value_or(std::min(*context, kPenaltiesPerRow));
  return plan::CapacityAttr::get(entry.getContext(), attr.getTokens(), attr.getSequences(), rows,
                                 llvm::divideCeil(*context, kernel::kBlockTokens), rows * bias, rows * penalties);
}

FailureOr<int64_t> bytesOf(Operation *op, const Twine &what, RankedTensorType type,
                           ArrayRef<kernel::ExtentAttr> dims, plan::CapacityAttr capacity) {
  if (static_cast<size_t>(type.getNumDynamicDims()) != dims.size())
    return op->emitError() << what << " is " << type << " but has " << dims.size() << " kernel.dims";
  int64_t bits = type.getElementType().isIndex() ? 64 : type.getElementTypeBitWidth();
  int64_t bytes = llvm::divideCeil(bits, 8);
  for (int64_t size : type.getShape()) {
    if (ShapedType::isDynamic(size)) {
      std::optional<int64_t> value = capacity.valueOf(dims.front());
      if (!value)
        return op->emitError() << what << " is " << type << " whose size " << dims.front()
                               << " is not known before the artifact is loaded: no buffer may depend on it";
      size = *value;
      dims = dims.drop_front();
    }
    if (__int128(bytes) * size > kMaxBufferBytes)
      return op->emitError() << what << " is " << type << " which takes more than " << kMaxBufferBytes
                             << " bytes in a full step of " << capacity.getTokens() << " tokens";
    bytes *= size;
  }
  return std::max<int64_t>(bytes, 1);
}

} // namespace kimi::passes
