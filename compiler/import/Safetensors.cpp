#include "compiler/import/Safetensors.h"

#include "compiler/import/Json.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

namespace kimi::import_ {
namespace {

struct TypeRow {
  llvm::StringLiteral name;
  uint64_t bytes;
};
// In the order of DataType.
constexpr std::array<TypeRow, 15> kTypes = {{{"BOOL", 1},
                                             {"U8", 1},
                                             {"I8", 1},
                                             {"F8_E4M3", 1},
                                             {"F8_E5M2", 1},
                                             {"U16", 2},
                                             {"I16", 2},
                                             {"F16", 2},
                                             {"BF16", 2},
                                             {"U32", 4},
                                             {"I32", 4},
                                             {"F32", 4},
                                             {"U64", 8},
                                             {"I64", 8},
                                             {"F64", 8}}};

constexpr uint64_t kLengthBytes = 8;              // the header's length, little-endian
constexpr uint64_t kMaxHeaderBytes = 100'000'000; // the limit of the format's own reader

/// What is known of the file while its header is read.
struct FileSizes {
  std::string path;
  uint64_t dataBegin = 0; // where the header ends
  uint64_t dataBytes = 0;
};

llvm::Expected<std::string> readHeaderText(FileSizes &file) {
  std::error_code code;
  const uint64_t fileBytes = std::filesystem::file_size(file.path, code);
  if (code)
    return makeError(file.path + ": cannot be read: " + code.message());
  if (fileBytes < kLengthBytes)
    return makeError(file.path + " has " + llvm::Twine(fileBytes) + " bytes: too few for a safetensors header");
  std::ifstream stream(file.path, std::ios::binary);
  std::array<char, kLengthBytes> length{};
  if (!stream.read(length.data(), kLengthBytes))
    return makeError(file.path + ": cannot be read");
  const uint64_t headerBytes = llvm::support::endian::read64le(length.data());
  if (headerBytes > fileBytes - kLengthBytes)
    return makeError(file.path + " says its header has " + llvm::Twine(headerBytes) + " bytes but only " +
                     llvm::Twine(fileBytes - kLengthBytes) + " follow: the file is truncated or no safetensors file");
  if (headerBytes > kMaxHeaderBytes)
    return makeError(file.path + " says its header has " + llvm::Twine(headerBytes) + " bytes; at most " +
                     llvm::Twine(kMaxHeaderBytes) + " are allowed");
  std::string text(headerBytes, '\0');
  if (!stream.read(text.data(), static_cast<std::streamsize>(headerBytes)))
    return makeError(file.path + ": its header cannot be read");
  file.dataBegin = kLengthBytes + headerBytes;
  file.dataBytes = fileBytes - file.dataBegin;
  return text;
}

/// Integers >= 0 of a JSON array, or none.
std::optional<Shape> parseSizes(const llvm::json::Array *array) {
  if (!array)
    return std::nullopt;
  Shape sizes;
  for (const llvm::json::Value &value : *array) {
    const std::optional<int64_t> size = asInteger(value);
    if (!size || *size < 0)
      return std::nullopt;
    sizes.push_back(*size);
  }
  return sizes;
}

/// Bytes of `shape`, or none where they do not fit 63 bits.
std::optional<uint64_t> countBytes(llvm::ArrayRef<int64_t> shape, DataType type) {
  int64_t bytes = static_cast<int64_t>(dataTypeBytes(type));
  for (int64_t size : shape)
    if (__builtin_mul_overflow(bytes, size, &bytes))
      return std::nullopt;
  return static_cast<uint64_t>(bytes);
}

/// One entry {"dtype", "shape", "data_offsets"}; offsets become absolute.
llvm::Expected<TensorHeader> parseTensor(const FileSizes &file, llvm::StringRef name, const llvm::json::Value &value) {
  const std::string what = file.path + ": tensor " + inQuotes(name);
  const llvm::json::Object *object = value.getAsObject();
  if (!object)
    return makeError(what + " is not described by an object {..}");
  const llvm::StringRef typeName = object->getString("dtype").value_or("");
  const std::optional<DataType> type = parseDataType(typeName);
  if (!type)
    return makeError(what + " has the dtype " + inQuotes(typeName) + ", which is not known here");
  const std::optional<Shape> shape = parseSizes(object->getArray("shape"));
  if (!shape)
    return makeError(what + " has no shape of integers >= 0");
  const std::optional<Shape> range = parseSizes(object->getArray("data_offsets"));
  if (!range || range->size() != 2 || (*range)[0] > (*range)[1])
    return makeError(what + " has no data_offsets [begin, end] with begin <= end");
  const uint64_t begin = (*range)[0], end = (*range)[1];
  if (end > file.dataBytes)
    return makeError(what + " ends at byte " + llvm::Twine(end) + " of the data but the file holds " +
                     llvm::Twine(file.dataBytes) + ": it is truncated; fetch it again");
  const std::optional<uint64_t> bytes = countBytes(*shape, *type);
  if (!bytes || *bytes != end - begin)
    return makeError(what + " has " + llvm::Twine(end - begin) + " bytes but " + dataTypeName(*type) + " " +
                     printShape(*shape) + " needs " + (bytes ? llvm::Twine(*bytes).str() : "more than 2^63"));
  return TensorHeader{name.str(), *type, *shape, file.dataBegin + begin, *bytes};
}

/// In byte order, every tensor begins where the one before it ends.
llvm::Error checkContiguous(const FileSizes &file, llvm::ArrayRef<TensorHeader> tensors) {
  uint64_t expected = file.dataBegin;
  for (const TensorHeader &tensor : tensors) {
    if (tensor.offset != expected)
      return makeError(file.path + ": tensor " + inQuotes(tensor.name) + " begins at byte " +
                       llvm::Twine(tensor.offset - file.dataBegin) + " of the data but the one before it ends at " +
                       llvm::Twine(expected - file.dataBegin) +
                       (tensor.offset < expected ? ": they overlap" : ": bytes belong to no tensor"));
    expected += tensor.bytes;
  }
  if (expected != file.dataBegin + file.dataBytes)
    return makeError(file.path + " holds " + llvm::Twine(file.dataBytes) + " bytes of data but its tensors end at " +
                     llvm::Twine(expected - file.dataBegin) + ": bytes belong to no tensor");
  return llvm::Error::success();
}

} // namespace

llvm::StringRef dataTypeName(DataType type) { return kTypes[static_cast<size_t>(type)].name; }
uint64_t dataTypeBytes(DataType type) { return kTypes[static_cast<size_t>(type)].bytes; }

std::optional<DataType> parseDataType(llvm::StringRef name) {
  for (auto [index, row] : llvm::enumerate(kTypes))
    if (row.name == name)
      return static_cast<DataType>(index);
  return std::nullopt;
}

std::string printShape(llvm::ArrayRef<int64_t> shape) {
  std::string text = "[";
  for (int64_t size : shape)
    text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

llvm::Expected<std::vector<TensorHeader>> readSafetensorsHeader(const std::string &path) {
  FileSizes file{path};
  llvm::Expected<std::string> text = readHeaderText(file);
  if (!text)
    return text.takeError();
  llvm::Expected<llvm::json::Object> object = parseObject(*text, path + ": the safetensors header");
  if (!object)
    return object.takeError();
  std::vector<TensorHeader> tensors;
  for (const auto &[name, value] : *object) {
    if (name == "__metadata__")
      continue;
    llvm::Expected<TensorHeader> tensor = parseTensor(file, name, value);
    if (!tensor)
      return tensor.takeError();
    tensors.push_back(std::move(*tensor));
  }
  // Empty tensors first where several begin at one byte; names last, so that messages do not depend on hashing.
  std::ranges::sort(tensors, [](const TensorHeader &a, const TensorHeader &b) {
    return std::tie(a.offset, a.bytes, a.name) < std::tie(b.offset, b.bytes, b.name);
  });
  if (llvm::Error error = checkContiguous(file, tensors))
    return error;
  return tensors;
}

} // namespace kimi::import_
