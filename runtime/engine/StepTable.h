// The step inputs and outputs in host memory, sized once for the largest step of any entry: what the caller
// fills and reads.
#pragma once

#include "runtime/base/HostBuffer.h"
#include "runtime/engine/StepLayout.h"

namespace kimi::runtime {

class StepTable {
public:
  /// A table in memory of its own. Error: too little memory. Inputs start as "no sampling option is on",
  /// everything else as 0.
  static Expected<StepTable> create(const Limits &capacity, uint32_t vocabulary);

  /// A table in zeroed memory of someone who outlives it: inputBytes() and outputBytes() of the layout, or
  /// outputBytesWithoutLogits() when `withLogits` is false, which leaves outputs().logits empty.
  StepTable(const Limits &capacity, uint32_t vocabulary, std::byte *inputMemory, std::byte *outputMemory,
            bool withLogits);
  StepTable() = default;

  StepInputs &inputs() { return inputViews; }
  const StepInputs &inputs() const { return inputViews; }
  const StepOutputs &outputs() const { return outputViews; }

  const StepLayout &layout() const { return stepLayout; }
  std::byte *inputMemory() const { return inputStart; }
  std::byte *outputMemory() const { return outputStart; }

  /// The running step's sizes, as kernels see them.
  Dims &dims() { return *reinterpret_cast<Dims *>(inputStart + StepLayout::kDimsOffset); }
  const Dims &dims() const { return const_cast<StepTable *>(this)->dims(); }

  /// Lets outputs() show that many rows.
  void showRows(int64_t numLogitRows);

  /// Bytes such a table takes.
  static uint64_t bytesNeeded(const Limits &capacity, uint32_t vocabulary);

private:
  template <typename T> std::span<T> view(artifact::StepInput input) const;
  template <typename T> std::span<const T> view(artifact::StepOutput output, int64_t numRows) const;
  void makeViews();

  Limits capacity;
  uint32_t vocabulary = 0;
  bool hasLogits = true;
  StepLayout stepLayout;
  HostBuffer inputBuffer, outputBuffer; // empty when the memory is someone else's
  std::byte *inputStart = nullptr, *outputStart = nullptr;
  StepInputs inputViews;
  StepOutputs outputViews;
};

} // namespace kimi::runtime
