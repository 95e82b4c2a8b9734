#include "compiler/emit/WeightSource.h"

#include "compiler/import/Json.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

namespace kimi::emit {

using import_::DataType;

/// Whether elements of `from` can become `to` without losing a bit.
static bool canStore(DataType from, mlir::Type to) {
  switch (from) {
  case DataType::BF16:
    return to.isBF16() || to.isF32();
  case DataType::F16:
    return to.isF16() || to.isF32();
  case DataType::F32:
    return to.isF32();
  case DataType::F8_E4M3:
    return llvm::isa<mlir::Float8E4M3FNType>(to);
  case DataType::I8:
  case DataType::U8:
    return to.isInteger(8);
  case DataType::I32:
  case DataType::U32:
    return to.isInteger(32);
  case DataType::I64:
    return to.isInteger(64);
  default:
    return false;
  }
}

static std::string replaceHole(std::string text, llvm::StringRef hole, int64_t number) {
  if (const size_t at = text.find(hole.str()); at != std::string::npos)
    text.replace(at, hole.size(), std::to_string(number));
  return text;
}

namespace {

/// One layer of one weight.
class Finder {
public:
  Finder(plan::WeightOp weight, const import_::CheckpointIndex &checkpoint) : weight(weight), checkpoint(checkpoint) {}

  /// Adds the runs of the tensor `name`, which holds `shape` of the weight's values.
  llvm::Error add(const std::string &name, llvm::ArrayRef<int64_t> shape);
  WeightSource source;

private:
  bool isInt4() { return weight.getLogicalType().getElementType().isInteger(4); }
  /// How a tensor of `shape` values is stored: int4 in int32, scales with one row for `blockRows` of them.
  import_::Shape storedShape(llvm::ArrayRef<int64_t> shape);
  llvm::Error checkType(const std::string &name, const import_::TensorLocation &tensor);
  void addRows(llvm::StringRef name, const import_::TensorLocation &tensor);
  void addScaleRows(llvm::StringRef name, const import_::TensorLocation &tensor);
  int64_t scaleBlockRows() {
    auto quantised = weight.getQuantised();
    return quantised && quantised->getPart() == model::QuantisedPart::scales ? quantised->getBlockRows() : 1;
  }

  plan::WeightOp weight;
  const import_::CheckpointIndex &checkpoint;
};

import_::Shape Finder::storedShape(llvm::ArrayRef<int64_t> shape) {
  import_::Shape stored(shape);
  if (isInt4())
    stored.back() /= 8;
  if (weight.getRows())
    stored.front() = llvm::divideCeil(stored.front(), scaleBlockRows());
  return stored;
}

llvm::Error Finder::checkType(const std::string &name, const import_::TensorLocation &tensor) {
  const DataType type = isInt4() && tensor.type == DataType::I32 ? DataType::U8 : tensor.type;
  if (!source.runs.empty() && type != source.type)
    return import_::makeError("tensor \"" + name + "\" is " + import_::dataTypeName(tensor.type) +
                              " but others of weight " + weight.getSymName() + " are " +
                              import_::dataTypeName(source.type));
  if (isInt4() ? tensor.type != DataType::I32 : !canStore(type, weight.getTensorType().getElementType())) {
    std::string wanted;
    llvm::raw_string_ostream(wanted) << weight.getLogicalType().getElementType();
    return import_::makeError("tensor \"" + name + "\" is " + import_::dataTypeName(tensor.type) + " but weight " +
                              weight.getSymName() + " is " + wanted + ": that conversion would lose bits");
  }
  source.type = type;
  return llvm::Error::success();
}

void Finder::addRows(llvm::StringRef name, const import_::TensorLocation &tensor) {
  auto rows = *weight.getRows();
  const uint64_t columns = static_cast<uint64_t>(tensor.shape[1]);
  for (int64_t group = 0; group < rows.getGroups(); ++group) {
    const uint64_t first = static_cast<uint64_t>(group * rows.getOf() + rows.getBegin()) * columns;
    source.runs.push_back({tensor.file, tensor.offset + first * import_::dataTypeBytes(source.type),
                           static_cast<uint64_t>(rows.getEnd() - rows.getBegin()) * columns, name, first});
  }
}

/// Every row of codes takes the scales of its block, so that rows can be taken from anywhere.
void Finder::addScaleRows(llvm::StringRef name, const import_::TensorLocation &tensor) {
  auto rows = *weight.getRows();
  const int64_t columns = tensor.shape[1], block = scaleBlockRows();
  for (int64_t group = 0; group < rows.getGroups(); ++group) {
    const int64_t begin = group * rows.getOf() + rows.getBegin(), end = group * rows.getOf() + rows.getEnd();
    const int64_t first = begin / block, last = (end - 1) / block;
    SourceRun run{tensor.file, tensor.offset + static_cast<uint64_t>(first * columns) * import_::dataTypeBytes(source.type),
                  static_cast<uint64_t>((last + 1 - first) * columns), name, static_cast<uint64_t>(first * columns)};
    for (int64_t row = begin; row < end; ++row)
      run.rows.push_back(static_cast<uint32_t>(row / block - first));
    source.runs.push_back(std::move(run));
  }
}

llvm::Error Finder::add(const std::string &name, llvm::ArrayRef<int64_t> shape) {
  const import_::TensorLocation *tensor = checkpoint.find(name);
  if (!tensor)
    return import_::makeError("the checkpoint has no tensor \"" + name + "\" for weight " + weight.getSymName() +
                              ": was the dump made from another checkpoint?");
  const import_::Shape stored = storedShape(shape);
  if (tensor->shape != stored)
    return import_::makeError("tensor \"" + name + "\" is " + import_::printShape(tensor->shape) + " but weight " +
                              weight.getSymName() + " needs " + import_::printShape(stored));
  if (llvm::Error error = checkType(name, *tensor))
    return error;
  const llvm::StringRef kept = checkpoint.nameOf(name);
  if (!weight.getRows())
    source.runs.push_back({tensor->file, tensor->offset, tensor->bytes / import_::dataTypeBytes(source.type), kept});
  else if (scaleBlockRows() > 1)
    addScaleRows(kept, *tensor);
  else
    addRows(kept, *tensor);
  return llvm::Error::success();
}

} // namespace

llvm::Expected<WeightSource> findSource(plan::WeightOp weight, int64_t layer,
                                        const import_::CheckpointIndex &checkpoint) {
  Finder finder(weight, checkpoint);
  const std::string name = replaceHole(weight.getSource()->str(), "{layer}", layer);
  llvm::ArrayRef<int64_t> shape = weight.getLogicalType().getShape();
  if (auto rows = weight.getRows()) {
    if (llvm::Error error = finder.add(name, {rows->getGroups() * rows->getOf(), shape.back()}))
      return error;
  } else if (weight.getExperts()) {
    for (int64_t expert = 0; expert < shape.front(); ++expert)
      if (llvm::Error error = finder.add(replaceHole(name, "{expert}", expert), shape.drop_front()))
        return error;
  } else if (llvm::Error error = finder.add(name, shape)) {
    return error;
  }
  return std::move(finder.source);
}

} // namespace kimi::emit
