#include "compiler/import/InventedCheckpoint.h"

#include "compiler/import/Import.h"
#include "compiler/import/QuantisedWeights.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>

namespace kimi::import_ {

std::string RandomKind::name() const {
  std::string text;
  llvm::raw_string_ostream(text) << "random " << dataTypeName(type) << llvm::format(" from %.9g to %.9g", low, high);
  return text;
}

/// The mean square of random codes: of int4, -8 to 7; of e4m3 as they are drawn, without odd exponents and below 1.
static double meanSquareOfCodes(const WeightSpec &codes) {
  double sum = 0;
  if (codes.type != DataType::F8_E4M3) {
    for (int value = -8; value < 8; ++value)
      sum += value * value;
    return sum / 16;
  }
  for (int exponent : {0, 2, 4, 6})
    for (int fraction = 0; fraction < 8; ++fraction) {
      const double value = exponent ? std::ldexp(8 + fraction, exponent - 10) : std::ldexp(fraction, -9);
      sum += value * value;
    }
  return sum / 32;
}

/// Scales that differ by half, so that one taken for another is seen; codes times scales get the variance 1 / K.
static RandomKind kindOfScales(const WeightSpec &scales, const WeightSpec &codes) {
  constexpr double kSpread = 0.5, kMeanSquare = 1 + kSpread * kSpread / 3; // of a uniform value from 0.5 to 1.5
  const auto columns = static_cast<double>(codes.sourceShape.back() * codes.quantised->perElement);
  const double middle = std::sqrt(1 / (columns * kMeanSquare * meanSquareOfCodes(codes)));
  return {scales.type, middle * (1 - kSpread), middle * (1 + kSpread)};
}

/// `before` is the weight listed before this one: codes, where this one is their scales.
static RandomKind kindOf(const WeightSpec &weight, const WeightSpec *before) {
  if (weight.quantised && weight.quantised->isCodes)
    return {weight.type};
  if (weight.quantised)
    return kindOfScales(weight, *before);
  if (weight.sourceShape.size() < 2)
    return {weight.type, 0.98, 1.02};
  // Uniform between -a and a has the variance a^2 / 3.
  const double bound = std::sqrt(3.0 / static_cast<double>(weight.sourceShape.back()));
  return {weight.type, -bound, bound};
}

InventedCheckpoint inventCheckpoint(llvm::ArrayRef<WeightSpec> weights) {
  InventedCheckpoint invented;
  std::vector<uint64_t> ends; // of the files
  const WeightSpec *before = nullptr;
  for (const WeightSpec &weight : weights) {
    const RandomKind kind = kindOf(weight, before);
    before = &weight;
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
  llvm::Expected<std::vector<WeightSpec>> weights = quantiseWeights(listWeights(*config), *config, nullptr);
  if (!weights)
    return weights.takeError();
  return inventCheckpoint(*weights);
}

} // namespace kimi::import_
