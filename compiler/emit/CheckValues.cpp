#include "compiler/emit/CheckValues.h"

#include "compiler/import/Json.h"

#include "llvm/Support/Format.h"

#include <bit>
#include <cmath>
#include <cstring>

namespace kimi::emit {

using import_::DataType;

static constexpr float kMaxScale = 0x1p119f;
static constexpr size_t kChunk = 4096; // looked at without a branch per byte

static bool isNotANumber(char code) { return (code & 0x7f) == 0x7f; }

/// The index of the first code that is not a number; the size where there is none.
static size_t findBadCode(llvm::ArrayRef<char> codes) {
  for (size_t begin = 0; begin < codes.size(); begin += kChunk) {
    const size_t end = std::min(codes.size(), begin + kChunk);
    unsigned bad = 0;
    for (size_t i = begin; i < end; ++i)
      bad |= isNotANumber(codes[i]);
    for (size_t i = begin; bad && i < end; ++i)
      if (isNotANumber(codes[i]))
        return i;
  }
  return codes.size();
}

static float scaleAt(llvm::ArrayRef<char> bytes, DataType type, size_t index) {
  uint32_t bits = 0;
  if (type == DataType::F32) {
    std::memcpy(&bits, bytes.data() + index * 4, 4);
  } else {
    std::memcpy(&bits, bytes.data() + index * 2, 2);
    bits <<= 16;
  }
  return std::bit_cast<float>(bits);
}

static llvm::Error badElement(llvm::StringRef tensor, uint64_t index, const llvm::Twine &what) {
  return import_::makeError("tensor \"" + tensor + "\" holds at element " + llvm::Twine(index) + " " + what +
                            ": the checkpoint is damaged, download it again");
}

llvm::Error checkValues(model::QuantisedPart part, DataType type, llvm::ArrayRef<char> bytes, llvm::StringRef tensor,
                        uint64_t firstElement) {
  if (part == model::QuantisedPart::codes) {
    if (type != DataType::F8_E4M3) // every nibble is a number
      return llvm::Error::success();
    const size_t at = findBadCode(bytes);
    if (at == bytes.size())
      return llvm::Error::success();
    return badElement(tensor, firstElement + at,
                      "the code 0x" + llvm::Twine::utohexstr(static_cast<uint8_t>(bytes[at])) + ", which is no number");
  }
  for (size_t i = 0; i < bytes.size() / import_::dataTypeBytes(type); ++i)
    if (const float scale = scaleAt(bytes, type, i); !(std::abs(scale) < kMaxScale)) {
      std::string text;
      llvm::raw_string_ostream(text) << "the scale " << llvm::format("%g", static_cast<double>(scale))
                                     << ", which is not a finite number below 2^119";
      return badElement(tensor, firstElement + i, text);
    }
  return llvm::Error::success();
}

} // namespace kimi::emit
