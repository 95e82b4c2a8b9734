#include "compiler/import/QuantisedWeights.h"

#include "compiler/import/Json.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"

#include <fstream>

namespace kimi::import_ {
namespace {

constexpr llvm::StringLiteral kWeight = ".weight", kPacked = ".weight_packed", kShape = ".weight_shape",
                              kInt4Scale = ".weight_scale", kFloat8Scale = ".weight_scale_inv";
constexpr int64_t kNibblesPerElement = 8;

std::string withSuffix(llvm::StringRef name, llvm::StringRef from, llvm::StringRef to) {
  return (name.drop_back(from.size()) + to).str();
}

class Quantiser {
public:
  Quantiser(const ModelConfig &config, const CheckpointIndex *checkpoint)
      : quantisation(config.quantisation), checkpoint(checkpoint) {}

  llvm::Error add(WeightSpec weight);
  std::vector<WeightSpec> weights;

private:
  bool isQuantised(const WeightSpec &weight) const;
  llvm::Error checkAllowed(const WeightSpec &weight) const;
  void addFloat8(WeightSpec weight);
  llvm::Error addInt4(WeightSpec weight);

  const Quantisation &quantisation;
  const CheckpointIndex *checkpoint;
};

/// The first tensor decides.
bool Quantiser::isQuantised(const WeightSpec &weight) const {
  const std::string name = nameOf(weight, weight.firstLayer, 0);
  const bool isInt4 = quantisation.format == WeightFormat::int4;
  if (!checkpoint)
    return !quantisation.ignores(llvm::StringRef(name).drop_back(kWeight.size())) && (weight.experts || !isInt4);
  if (isInt4)
    return checkpoint->find(withSuffix(name, kWeight, kPacked));
  const TensorLocation *tensor = checkpoint->find(name);
  return tensor && tensor->type == DataType::F8_E4M3;
}

llvm::Error Quantiser::checkAllowed(const WeightSpec &weight) const {
  for (int64_t layer = weight.firstLayer; layer < weight.firstLayer + weight.numLayers; ++layer)
    for (int64_t expert = 0; expert < std::max<int64_t>(weight.experts, 1); ++expert) {
      const std::string name = nameOf(weight, layer, expert);
      if (quantisation.ignores(llvm::StringRef(name).drop_back(kWeight.size())))
        return makeError("the weight " + inQuotes(name) + " is quantised but quantization_config says that it is not: "
                         "its list of exceptions names the module");
    }
  if (quantisation.format == WeightFormat::int4 && !weight.experts)
    return makeError("the weight " + inQuotes(nameOf(weight, weight.firstLayer, 0)) +
                     " is int4 but only routed experts may be: convert it to bf16");
  return llvm::Error::success();
}

void Quantiser::addFloat8(WeightSpec weight) {
  const int64_t rows = quantisation.blockRows, columns = quantisation.blockColumns;
  WeightSpec scales = weight;
  scales.symbol += ".scales";
  scales.source = withSuffix(weight.source, kWeight, kFloat8Scale);
  scales.sourceShape = {llvm::divideCeilSigned(weight.sourceShape[0], rows),
                        llvm::divideCeilSigned(weight.sourceShape[1], columns)};
  scales.type = DataType::F32;
  scales.quantised = QuantisedHalf{false, rows, columns};
  weight.type = DataType::F8_E4M3;
  weight.quantised = QuantisedHalf{true, rows, columns};
  weights.push_back(std::move(weight));
  weights.push_back(std::move(scales));
}

llvm::Error Quantiser::addInt4(WeightSpec weight) {
  const int64_t group = quantisation.blockColumns, columns = weight.sourceShape.back();
  if (columns % group != 0)
    return makeError("the weight " + inQuotes(weight.source) + " has " + llvm::Twine(columns) +
                     " columns, which do not divide into groups of " + llvm::Twine(group));
  WeightSpec scales = weight;
  scales.symbol += ".scales";
  scales.source = withSuffix(weight.source, kWeight, kInt4Scale);
  scales.sourceShape.back() = columns / group;
  scales.quantised = QuantisedHalf{false, 1, group};
  weight.source = withSuffix(weight.source, kWeight, kPacked);
  weight.sourceShape.back() = columns / kNibblesPerElement;
  weight.type = DataType::I32;
  weight.quantised = QuantisedHalf{true, 1, group, kNibblesPerElement};
  weights.push_back(std::move(weight));
  weights.push_back(std::move(scales));
  return llvm::Error::success();
}

llvm::Error Quantiser::add(WeightSpec weight) {
  if (!weight.isProjection || quantisation.format == WeightFormat::plain || !isQuantised(weight)) {
    weights.push_back(std::move(weight));
    return llvm::Error::success();
  }
  if (llvm::Error error = checkAllowed(weight))
    return error;
  if (quantisation.format == WeightFormat::int4)
    return addInt4(std::move(weight));
  addFloat8(std::move(weight));
  return llvm::Error::success();
}

/// The two numbers of a weight_shape tensor: the only bytes of a checkpoint's data that import reads.
llvm::Expected<std::pair<int64_t, int64_t>> readShape(const CheckpointIndex &checkpoint, const TensorLocation &tensor) {
  const std::string &path = checkpoint.getFiles()[tensor.file];
  char bytes[8];
  std::ifstream file(path, std::ios::binary);
  if (!file.seekg(static_cast<std::streamoff>(tensor.offset)) || !file.read(bytes, sizeof bytes))
    return makeError("cannot read 8 bytes at " + llvm::Twine(tensor.offset) + " of " + path);
  return std::pair<int64_t, int64_t>(static_cast<int32_t>(llvm::support::endian::read32le(bytes)),
                                     static_cast<int32_t>(llvm::support::endian::read32le(bytes + 4)));
}

} // namespace

llvm::Expected<std::vector<WeightSpec>> quantiseWeights(std::vector<WeightSpec> weights, const ModelConfig &config,
                                                        const CheckpointIndex *checkpoint) {
  Quantiser quantiser(config, checkpoint);
  for (WeightSpec &weight : weights)
    if (llvm::Error error = quantiser.add(std::move(weight)))
      return error;
  return std::move(quantiser.weights);
}

std::string profileOf(llvm::ArrayRef<WeightSpec> weights) {
  if (llvm::any_of(weights, holdsPackedValues))
    return "w4a16";
  return llvm::any_of(weights, [](const WeightSpec &weight) { return weight.quantised.has_value(); }) ? "w8a16" : "bf16";
}

bool holdsPackedValues(const WeightSpec &weight) { return weight.quantised && weight.quantised->perElement > 1; }

std::string shapeTensorOf(llvm::StringRef packedName) { return withSuffix(packedName, kPacked, kShape); }

llvm::Error checkShapeTensor(const WeightSpec &weight, llvm::StringRef name, const CheckpointIndex &checkpoint) {
  const std::string shapeName = shapeTensorOf(name);
  const TensorLocation *tensor = checkpoint.find(shapeName);
  if (!tensor)
    return makeError("the checkpoint has no tensor " + inQuotes(shapeName) + " beside " + inQuotes(name));
  if (tensor->type != DataType::I32 || tensor->shape != Shape{2})
    return makeError("tensor " + inQuotes(shapeName) + " is " + dataTypeName(tensor->type) + " " +
                     printShape(tensor->shape) + " but must be I32 [2]");
  llvm::Expected<std::pair<int64_t, int64_t>> said = readShape(checkpoint, *tensor);
  if (!said)
    return said.takeError();
  const Shape wanted = {weight.sourceShape[0], weight.sourceShape[1] * weight.quantised->perElement};
  if (Shape{said->first, said->second} != wanted)
    return makeError("tensor " + inQuotes(shapeName) + " says " + printShape({said->first, said->second}) +
                     " but config.json asks for " + printShape(wanted));
  return llvm::Error::success();
}

llvm::Error checkStrayScale(llvm::StringRef name, const llvm::StringSet<> &expected, const CheckpointIndex &checkpoint) {
  for (llvm::StringRef suffix : {kFloat8Scale, kInt4Scale, kShape})
    if (name.ends_with(suffix)) {
      const std::string weight = withSuffix(name, suffix, kWeight);
      const TensorLocation *tensor = checkpoint.find(weight);
      if (expected.contains(weight) && tensor)
        return makeError("the checkpoint has the tensor " + inQuotes(name) + " but " + inQuotes(weight) + " is " +
                         dataTypeName(tensor->type) + ": scales without codes");
    }
  return llvm::Error::success();
}

} // namespace kimi::import_
