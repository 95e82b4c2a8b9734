#include "compiler/import/OpEmitter.h"

using namespace mlir;

namespace kimi::import_ {

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// The type of `value` with f32 elements: what every operation of the model computes.
static RankedTensorType inF32(Value value) {
  return typeOf(value).clone(Float32Type::get(value.getContext()));
}

RankedTensorType OpEmitter::activationType(int64_t columns, Type element) const {
  return RankedTensorType::get({ShapedType::kDynamic, columns}, element);
}

Value OpEmitter::loadWeight(const std::string &symbol, Value layer) {
  auto weight = module.lookupSymbol<model::WeightOp>(symbol);
  const Value loaded = model::LoadWeightOp::create(builder, loc(), weight.getType(), symbol, layer);
  if (!weight.getQuantised())
    return loaded;
  const model::QuantisedAttr quantised = *weight.getQuantised();
  const std::string scaleSymbol = symbol + ".scales";
  auto scaleWeight = module.lookupSymbol<model::WeightOp>(scaleSymbol);
  const Value scales = model::LoadWeightOp::create(builder, loc(), scaleWeight.getType(), scaleSymbol, layer);
  const int64_t blockRows = weight.getRows() ? 1 : quantised.getBlockRows(); // taken rows bring their own scales
  return model::DequantiseOp::create(builder, loc(), inF32(loaded), loaded, scales, blockRows,
                                     quantised.getBlockColumns());
}

Value OpEmitter::stepInput(model::StepInput input, int64_t vocabulary) {
  return model::StepInputOp::create(builder, loc(), model::stepInputType(input, vocabulary, builder.getContext()),
                                    model::StepInputAttr::get(builder.getContext(), input));
}

Value OpEmitter::constantIndex(int64_t value) { return arith::ConstantIndexOp::create(builder, loc(), value); }

Value OpEmitter::round(Value x) {
  if (typeOf(x).getElementType() == storage)
    return x;
  return model::RoundOp::create(builder, loc(), typeOf(x).clone(storage), x);
}

Value OpEmitter::rmsNorm(Value x, Value weight, double eps) {
  return round(model::RmsNormOp::create(builder, loc(), inF32(x), x, weight, builder.getF64FloatAttr(eps)));
}

Value OpEmitter::rope(Value x, Value positions, Value table) {
  return round(model::RopeOp::create(builder, loc(), inF32(x), x, positions, table));
}

Value OpEmitter::linear(Value x, Value weight) {
  auto type = activationType(typeOf(weight).getDimSize(0), builder.getF32Type());
  return model::LinearOp::create(builder, loc(), type, x, weight);
}

Value OpEmitter::add(Value lhs, Value rhs) { return model::AddOp::create(builder, loc(), inF32(lhs), lhs, rhs); }

Value OpEmitter::swiglu(Value gate, Value up) {
  return model::SwigluOp::create(builder, loc(), inF32(gate), gate, up);
}

OpFoldResult OpEmitter::leadingSize(Value x) {
  return tensor::DimOp::create(builder, loc(), x, constantIndex(0)).getResult();
}

Value OpEmitter::sliceLast(Value x, int64_t begin, int64_t size) {
  SmallVector<OpFoldResult> sizes = {leadingSize(x)};
  for (int64_t dim : typeOf(x).getShape().drop_front())
    sizes.push_back(builder.getIndexAttr(dim));
  SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(sizes.size(), builder.getIndexAttr(1));
  offsets.back() = builder.getIndexAttr(begin);
  sizes.back() = builder.getIndexAttr(size);
  SmallVector<int64_t> shape(typeOf(x).getShape());
  shape.back() = size;
  return tensor::ExtractSliceOp::create(builder, loc(), RankedTensorType::get(shape, typeOf(x).getElementType()), x,
                                        offsets, sizes, strides);
}

Value OpEmitter::splitHeads(Value x, int64_t heads) {
  const int64_t size = typeOf(x).getDimSize(1) / heads;
  auto type = RankedTensorType::get({ShapedType::kDynamic, heads, size}, typeOf(x).getElementType());
  SmallVector<OpFoldResult> sizes = {leadingSize(x), builder.getIndexAttr(heads), builder.getIndexAttr(size)};
  SmallVector<ReassociationIndices> groups = {{0}, {1, 2}};
  return tensor::ExpandShapeOp::create(builder, loc(), type, x, groups, sizes);
}

Value OpEmitter::joinHeads(Value x) {
  ArrayRef<int64_t> shape = typeOf(x).getShape();
  SmallVector<ReassociationIndices> groups = {{0}, {1, 2}};
  return tensor::CollapseShapeOp::create(builder, loc(), activationType(shape[1] * shape[2], typeOf(x).getElementType()),
                                         x, groups);
}

} // namespace kimi::import_
