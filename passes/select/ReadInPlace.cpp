#include "passes/select/ReadInPlace.h"

#include "dialects/kimi/Kimi.h"
#include "passes/select/PanelRewrite.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using kimi::kernel::FuncOp;
using kimi::kernel::LayoutKind;
using kimi::model::WeightOp;

namespace kimi::passes {
namespace {

/// The rows `begin` to `begin` + N of every `pitch` are the weight's.
struct Place {
  int64_t begin, pitch;
  bool operator==(const Place &) const = default;
};

Place placeOf(WeightOp weight) {
  auto type = cast<RankedTensorType>(weight.getType());
  if (auto rows = weight.getRows())
    return {rows->getBegin(), rows->getOf()};
  if (auto pitch = weight->getAttrOfType<IntegerAttr>(model::kPitchAttr))
    return {0, pitch.getInt()};
  return {0, type.getRank() < 2 ? 0 : type.getDimSize(type.getRank() - 2)};
}

bool isWhole(WeightOp weight, Place place) {
  auto type = cast<RankedTensorType>(weight.getType());
  return type.getRank() < 3 || place.pitch == type.getDimSize(type.getRank() - 2);
}

/// Argument `index` becomes [.., pitch, K]; what read it reads its rows.
void readSlice(FuncOp func, unsigned index, Place place) {
  BlockArgument argument = func.getArgument(index);
  auto logical = cast<RankedTensorType>(argument.getType());
  SmallVector<int64_t> shape(logical.getShape());
  shape[shape.size() - 2] = place.pitch;
  SmallVector<Type> types(func.getArgumentTypes());
  types[index] = logical.clone(shape);
  func.setFunctionType(FunctionType::get(func.getContext(), types, func.getResultTypes()));
  argument.setType(types[index]);

  OpBuilder builder = OpBuilder::atBlockBegin(argument.getOwner());
  SmallVector<OpFoldResult> offsets(logical.getRank(), builder.getIndexAttr(0)),
      strides(logical.getRank(), builder.getIndexAttr(1)), sizes;
  offsets[logical.getRank() - 2] = builder.getIndexAttr(place.begin);
  for (int64_t size : logical.getShape())
    sizes.push_back(builder.getIndexAttr(size));
  auto slice = tensor::ExtractSliceOp::create(builder, func.getLoc(), logical, argument, offsets, sizes, strides);
  argument.replaceAllUsesExcept(slice, slice);
}

} // namespace

LogicalResult readWeightsInPlace(const WeightReaders &readers) {
  llvm::MapVector<KernelArgument, WeightOp> first; // whoever reads it first decides
  for (const auto &[operation, arguments] : readers) {
    auto weight = cast<WeightOp>(operation);
    const Place place = placeOf(weight);
    const LayoutKind kind = isWhole(weight, place) ? LayoutKind::row_major : LayoutKind::strided;
    weight.setLayoutAttr(
        kernel::LayoutAttr::get(weight.getContext(), kind, kind == LayoutKind::strided ? place.pitch : 1));
    for (KernelArgument argument : arguments)
      if (auto [other, isNew] = first.insert({argument, weight}); !isNew && !(placeOf(other->second) == place))
        return weight.emitError() << "'" << weight.getSymName() << "' and '" << other->second.getSymName()
                                  << "' lie differently in the checkpoint (rows " << place.begin << " on of every "
                                  << place.pitch << ", and " << placeOf(other->second).begin << " on of every "
                                  << placeOf(other->second).pitch << ") but '" << argument.first.getSymName()
                                  << "' reads both: use --weights=packed";
  }
  for (auto &[argument, weight] : first) {
    readRowMajor(argument.first, argument.second);
    if (const Place place = placeOf(weight); !isWhole(weight, place))
      readSlice(argument.first, argument.second, place);
  }
  return success();
}

} // namespace kimi::passes
