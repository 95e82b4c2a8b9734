#include "compiler/emit/WeightSource.h"

#include "compiler/import/Json.h"

#include "llvm/ADT/STLExtras.h"

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

  llvm::Error add(const std::string &name, llvm::ArrayRef<int64_t> shape);
  WeightSource source;

private:
  plan::WeightOp weight;
  const import_::CheckpointIndex &checkpoint;
};

llvm::Error Finder::add(const std::string &name, llvm::ArrayRef<int64_t> shape) {
  const import_::TensorLocation *tensor = checkpoint.find(name);
  if (!tensor)
    return import_::makeError("the checkpoint has no tensor \"" + name + "\" for weight " + weight.getSymName() +
                              ": was the dump made from another checkpoint?");
  if (llvm::ArrayRef<int64_t>(tensor->shape) != shape)
    return import_::makeError("tensor \"" + name + "\" is " + import_::printShape(tensor->shape) + " but weight " +
                              weight.getSymName() + " needs " + import_::printShape(shape));
  if (!source.runs.empty() && tensor->type != source.type)
    return import_::makeError("tensor \"" + name + "\" is " + import_::dataTypeName(tensor->type) +
                              " but others of weight " + weight.getSymName() + " are " +
                              import_::dataTypeName(source.type));
  if (!canStore(tensor->type, weight.getTensorType().getElementType())) {
    std::string wanted;
    llvm::raw_string_ostream(wanted) << weight.getTensorType().getElementType();
    return import_::makeError("tensor \"" + name + "\" is " + import_::dataTypeName(tensor->type) + " but weight " +
                              weight.getSymName() + " is " + wanted + ": that conversion would lose bits");
  }
  source.type = tensor->type;
  const uint64_t elementBytes = import_::dataTypeBytes(tensor->type);
  if (auto rows = weight.getRows()) {
    const uint64_t columns = static_cast<uint64_t>(shape[1]);
    for (int64_t group = 0; group < rows->getGroups(); ++group)
      source.runs.push_back({tensor->file,
                             tensor->offset + static_cast<uint64_t>(group * rows->getOf() + rows->getBegin()) *
                                                  columns * elementBytes,
                             static_cast<uint64_t>(rows->getEnd() - rows->getBegin()) * columns});
  } else {
    source.runs.push_back({tensor->file, tensor->offset, tensor->bytes / elementBytes});
  }
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
