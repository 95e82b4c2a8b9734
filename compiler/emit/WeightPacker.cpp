#include "compiler/emit/WeightPacker.h"

#include "compiler/emit/CheckValues.h"

#include <bit>
#include <cstring>

namespace kimi::emit {

using import_::DataType;

static constexpr uint64_t kPieceBytes = uint64_t(4) << 20;

WeightPacker::WeightPacker(plan::WeightOp weight, const WeightSource &source, llvm::ArrayRef<InputFile> files)
    : source(source), files(files), sourceElementBytes(import_::dataTypeBytes(source.type)),
      elementBytes(weight.getTensorType().getElementTypeBitWidth() / 8) {
  if (auto quantised = weight.getQuantised())
    part = quantised->getPart();
  pieceElements = std::max<uint64_t>(kPieceBytes / elementBytes, 1);
  if (weight.getLayout().getKind() != kernel::LayoutKind::panel)
    return;
  width = static_cast<uint64_t>(weight.getLayout().getWidth());
  columns = static_cast<uint64_t>(weight.getTensorType().getShape().drop_back().back());
  // Whole panels. Every run is whole matrices, so no piece ends inside a panel.
  const uint64_t panel = width * columns;
  pieceElements = std::max<uint64_t>(pieceElements / panel, 1) * panel;
}

static float halfToFloat(uint16_t half) {
  const uint32_t sign = uint32_t(half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 1023;
  if (exponent == 31)
    return std::bit_cast<float>(sign | 0x7f800000 | fraction << 13);
  if (exponent != 0)
    return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  // Subnormal: fraction * 2^-24, exact in float32.
  const float value = static_cast<float>(fraction) * 0x1p-24f;
  return sign ? -value : value;
}

/// bf16 or f16 → f32; exact.
static void widen(llvm::ArrayRef<char> from, DataType type, std::vector<char> &to) {
  to.resize(from.size() * 2);
  for (size_t i = 0; i < from.size() / 2; ++i) {
    uint16_t bits;
    std::memcpy(&bits, from.data() + i * 2, 2);
    const float value =
        type == DataType::BF16 ? std::bit_cast<float>(uint32_t(bits) << 16) : halfToFloat(bits);
    std::memcpy(to.data() + i * 4, &value, 4);
  }
}

/// Panels [width, columns] → [columns, width].
template <typename Element>
static void transposePanels(llvm::ArrayRef<char> from, uint64_t columns, uint64_t width, std::vector<char> &to) {
  to.resize(from.size());
  auto *source = reinterpret_cast<const Element *>(from.data());
  auto *target = reinterpret_cast<Element *>(to.data());
  const uint64_t panel = columns * width, panels = from.size() / sizeof(Element) / panel;
  for (uint64_t p = 0; p < panels; ++p, source += panel, target += panel)
    for (uint64_t k = 0; k < columns; ++k)
      for (uint64_t n = 0; n < width; ++n)
        target[k * width + n] = source[n * columns + k];
}

/// Leaves the packed form of `piece` in `packed`.
void WeightPacker::pack(llvm::ArrayRef<char> piece) {
  if (sourceElementBytes != elementBytes) {
    widen(piece, source.type, widened);
    piece = widened;
  }
  if (!width) {
    packed.assign(piece.begin(), piece.end());
    return;
  }
  switch (elementBytes) {
  case 1:
    return transposePanels<uint8_t>(piece, columns, width, packed);
  case 2:
    return transposePanels<uint16_t>(piece, columns, width, packed);
  case 4:
    return transposePanels<uint32_t>(piece, columns, width, packed);
  default:
    return transposePanels<uint64_t>(piece, columns, width, packed);
  }
}

/// Rows of `from`, as many columns each, in the order of `rows`.
static void takeRows(llvm::ArrayRef<char> from, llvm::ArrayRef<uint32_t> rows, std::vector<char> &to) {
  const uint64_t rowBytes = from.size() / (rows.back() + 1);
  to.clear();
  for (uint32_t row : rows)
    to.insert(to.end(), from.begin() + row * rowBytes, from.begin() + (row + 1) * rowBytes);
}

/// Leaves elements of `run` in `input`, looked at and shown to `seeSource`; then its rows as often as they are taken.
llvm::Error WeightPacker::read(const SourceRun &run, uint64_t done, uint64_t elements, Sink seeSource) {
  input.resize(elements * sourceElementBytes);
  if (llvm::Error error = files[run.file].read(run.offset + done * sourceElementBytes, input))
    return error;
  if (part)
    if (llvm::Error error = checkValues(*part, source.type, input, run.tensor, run.firstElement + done))
      return error;
  if (seeSource)
    if (llvm::Error error = seeSource(input))
      return error;
  if (run.rows.empty())
    return llvm::Error::success();
  takeRows(input, run.rows, spread);
  std::swap(input, spread);
  return llvm::Error::success();
}

llvm::Error WeightPacker::stream(Sink seeSource, Sink writePacked) {
  for (const SourceRun &run : source.runs)
    for (uint64_t done = 0; done < run.elements;) {
      // Rows that are taken more than once are few: a run of scales is one piece.
      const uint64_t elements = run.rows.empty() ? std::min(pieceElements, run.elements - done) : run.elements;
      if (llvm::Error error = read(run, done, elements, seeSource))
        return error;
      done += elements;
      if (!writePacked)
        continue;
      pack(input);
      if (llvm::Error error = writePacked(packed))
        return error;
    }
  return llvm::Error::success();
}

} // namespace kimi::emit
