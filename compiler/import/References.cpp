#include "compiler/import/References.h"

#include "compiler/import/Json.h"

namespace kimi::import_ {

static llvm::Error cannotStay(const WeightSpec &weight, const std::string &name, const llvm::Twine &why) {
  return makeError("weight " + weight.symbol + " cannot stay where it is: as one slice of the checkpoint its experts would "
                   "have to lie at equal distances in one file, but tensor " + inQuotes(name) + " " + why +
                   ": use --weights=packed");
}

namespace {
/// Walks over the experts of one weight, layer by layer.
class PitchFinder {
public:
  PitchFinder(WeightSpec &weight, const CheckpointIndex &checkpoint) : weight(weight), checkpoint(checkpoint) {}
  llvm::Error see(const std::string &name);

private:
  WeightSpec &weight;
  const CheckpointIndex &checkpoint;
  const TensorLocation *before = nullptr; // of this layer
  int64_t expert = 0;
};
} // namespace

llvm::Error PitchFinder::see(const std::string &name) {
  const TensorLocation *tensor = checkpoint.find(name), *previous = before;
  if (!tensor)
    return makeError("the checkpoint has no tensor " + inQuotes(name));
  const bool isFirst = expert == 0;
  before = tensor;
  expert = (expert + 1) % weight.experts;
  if (isFirst)
    return llvm::Error::success();
  if (tensor->file != previous->file)
    return cannotStay(weight, name, "is in another file than the expert before it");
  const uint64_t rowBytes = dataTypeBytes(tensor->type) * static_cast<uint64_t>(tensor->shape.back());
  const auto distance = static_cast<int64_t>(tensor->offset - previous->offset);
  if (distance < static_cast<int64_t>(tensor->bytes) || distance % static_cast<int64_t>(rowBytes) != 0)
    return cannotStay(weight, name, "begins " + llvm::Twine(distance) + " bytes after the expert before it, which are no "
                                    "whole rows of " + llvm::Twine(rowBytes) + " bytes behind it");
  const int64_t pitch = distance / static_cast<int64_t>(rowBytes);
  if (weight.pitch && weight.pitch != pitch)
    return cannotStay(weight, name, "begins " + llvm::Twine(pitch) + " rows after the expert before it and others " +
                                    llvm::Twine(weight.pitch));
  weight.pitch = pitch;
  return llvm::Error::success();
}

llvm::Error findPitches(llvm::MutableArrayRef<WeightSpec> weights, const CheckpointIndex &checkpoint) {
  for (WeightSpec &weight : weights) {
    if (weight.experts < 2)
      continue;
    PitchFinder finder(weight, checkpoint);
    if (llvm::Error error = weight.forEachTensor([&](const std::string &name) { return finder.see(name); }))
      return error;
  }
  return llvm::Error::success();
}

} // namespace kimi::import_
