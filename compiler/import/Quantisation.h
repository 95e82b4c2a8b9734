// What quantization_config says: which format weights may be in, and which modules keep bf16. Thread rule: a value.
#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

#include <cstdint>
#include <string>
#include <vector>

namespace kimi::import_ {

enum class WeightFormat {
  plain, // bf16
  fp8,   // e4m3 codes, one f32 scale per block of rows x columns
  int4   // eight nibbles in an int32, one bf16 scale per group of columns; routed experts only
};

struct Quantisation {
  WeightFormat format = WeightFormat::plain;
  int64_t blockRows = 1, blockColumns = 1; // of one scale
  /// Names of modules that are not quantised, or "re:" and a regular expression that matches from their beginning.
  std::vector<std::string> ignored;

  /// Whether the config says that `module` (a tensor's name without ".weight") keeps bf16.
  bool ignores(llvm::StringRef module) const;
};

/// The quantization_config of `object`, checked key by key; `where` begins messages.
llvm::Expected<Quantisation> parseQuantisation(const llvm::json::Object &object, const std::string &where);

} // namespace kimi::import_
