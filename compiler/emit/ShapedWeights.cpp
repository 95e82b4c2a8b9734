#include "compiler/emit/ShapedWeights.h"

namespace kimi::emit {

static constexpr uint64_t kSliceAlignment = 4096; // as in packed files
static constexpr llvm::StringLiteral kNoHash = "00000000000000000000000000000000";

PackedWeights shapeWeights(mlir::ModuleOp plan) {
  PackedWeights weights;
  for (auto op : plan.getOps<plan::WeightOp>()) {
    mlir::RankedTensorType type = op.getTensorType();
    const uint64_t slice = llvm::alignTo(
        static_cast<uint64_t>(type.getNumElements()) * type.getElementTypeBitWidth() / 8, kSliceAlignment);
    const auto layers = static_cast<uint64_t>(op.getNumLayers().value_or(1));
    std::vector<PlacedSlice> &slices = weights.slices[op.getSymName()];
    for (uint64_t layer = 0; layer < layers; ++layer)
      slices.push_back({static_cast<unsigned>(weights.files.size()), layer * slice});
    FileRecord file{("weights/" + op.getSymName() + ".shape").str(), layers * slice, kNoHash.str()};
    file.isShape = true;
    weights.verified.insert(file.path);
    weights.bytes += file.bytes;
    weights.files.push_back(std::move(file));
  }
  return weights;
}

} // namespace kimi::emit
