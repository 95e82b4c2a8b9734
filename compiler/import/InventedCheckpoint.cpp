#include "compiler/import/InventedCheckpoint.h"

#include "compiler/import/Import.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>

namespace kimi::import_ {

std::string RandomKind::name() const {
  std::string text;
  llvm::raw_string_ostream(text) << "random " << dataTypeName(type) << llvm::format(" from %.9g to %.9g", low, high);
  return text;
}

static RandomKind kindOf(const WeightSpec &weight) {
  if (weight.sourceShape.size() < 2)
    return {weight.type, 0.98, 1.02};
  // Uniform between -a and a has the variance a^2 / 3.
  const double bound = std::sqrt(3.0 / static_cast<double>(weight.sourceShape.back()));
  return {weight.type, -bound, bound};
}

InventedCheckpoint inventCheckpoint(llvm::ArrayRef<WeightSpec> weights) {
  InventedCheckpoint invented;
  std::vector<uint64_t> ends; // of the files
  for (const WeightSpec &weight : weights) {
    const RandomKind kind = kindOf(weight);
    const unsigned file = invented.index.addInventedFile(kind.name());
    if (file == ends.size()) {
      ends.push_back(0);
      invented.kinds.push_back(kind);
    }
    uint64_t bytes = dataTypeBytes(weight.type);
    for (int64_t size : weight.sourceShape)
      bytes *= static_cast<uint64_t>(size);
    llvm::cantFail(weight.forEachTensor([&](const std::string &name) {
      // Weights of one tensor (the halves of kv_b_proj, a tied head) share it.
      if (invented.index.addInventedTensor(name, {file, ends[file], bytes, weight.type, weight.sourceShape}))
        ends[file] += bytes;
      return llvm::Error::success();
    }));
  }
  return invented;
}

llvm::Expected<InventedCheckpoint> inventCheckpoint(const std::string &path) {
  llvm::Expected<ModelConfig> config = readModelConfig(path, /*mayBeFile=*/true);
  if (!config)
    return config.takeError();
  return inventCheckpoint(listWeights(*config));
}

} // namespace kimi::import_
