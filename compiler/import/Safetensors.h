// The header of one safetensors file: which tensor lies where. No weight byte is read. Thread rule: plain functions.
#pragma once

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace kimi::import_ {

/// Element types of safetensors, spelt as the files spell them.
enum class DataType { BOOL, U8, I8, F8_E4M3, F8_E5M2, U16, I16, F16, BF16, U32, I32, F32, U64, I64, F64 };

llvm::StringRef dataTypeName(DataType type);
uint64_t dataTypeBytes(DataType type);
std::optional<DataType> parseDataType(llvm::StringRef name);

using Shape = llvm::SmallVector<int64_t, 3>;

/// "[640, 256]".
std::string printShape(llvm::ArrayRef<int64_t> shape);

struct TensorHeader {
  std::string name;
  DataType type;
  Shape shape;
  uint64_t offset; // of the first byte, from the beginning of the file
  uint64_t bytes;
};

/// The tensors of the file, in the order of their bytes. Refuses a header that is truncated, not JSON, or whose
/// offsets overlap, leave holes, leave the file, or do not fit shape and type.
llvm::Expected<std::vector<TensorHeader>> readSafetensorsHeader(const std::string &path);

} // namespace kimi::import_
