// Where each step input and output lies in its buffer, and which bytes of it one step uses. The same on the
// host and on a device, so that an upload is a copy of ranges.
#pragma once

#include "runtime/engine/Dims.h"
#include "runtime/kimi.h"

#include <array>
#include <span>

namespace kimi::runtime {

inline constexpr size_t kNumStepInputs = size_t(artifact::StepInput::MAX) + 1;
inline constexpr size_t kNumStepOutputs = size_t(artifact::StepOutput::MAX) + 1;

/// Elements of one step input or output for a step of these sizes; every element has 4 bytes.
int64_t numElements(artifact::StepInput input, const Limits &sizes, uint32_t vocabulary);
int64_t numElements(artifact::StepOutput output, const Limits &sizes, uint32_t vocabulary);

struct ByteRange {
  uint64_t offset = 0, bytes = 0;
};

/// Ascending ranges of one buffer. Ranges with a small gap between them are one: a copy costs about as much
/// as kMergedGap more bytes. Allocates nothing.
class ByteRanges {
public:
  static constexpr uint64_t kMergedGap = uint64_t(64) << 10;

  void add(uint64_t offset, uint64_t bytes);

  /// What is added next begins a range of its own.
  void close() { isClosed = true; }

  std::span<const ByteRange> ranges() const { return std::span(items).first(count); }

private:
  std::array<ByteRange, kNumStepInputs + 1> items;
  size_t count = 0;
  bool isClosed = false;
};

class StepLayout {
public:
  StepLayout() = default;
  StepLayout(const Limits &capacity, uint32_t vocabulary);

  /// The dims stand first among the inputs; what is small and always used next; the token mask last.
  static constexpr uint64_t kDimsOffset = 0;
  uint64_t offset(artifact::StepInput input) const { return inputOffsets[size_t(input)]; }
  /// The logits lie last.
  uint64_t offset(artifact::StepOutput output) const { return outputOffsets[size_t(output)]; }

  uint64_t inputBytes() const { return inputEnd; }
  uint64_t outputBytes() const { return outputEnd; }
  uint64_t outputBytesWithoutLogits() const { return offset(artifact::StepOutput::logits); }

  /// Columns of the block table that kernels need for this step, which has passed checkStep: those of its
  /// positions, rounded up to whole lines; all of them where so few rows are as fast to copy to a device whole.
  int64_t usedColumns(const StepInputs &inputs) const;

  /// What a step reads: the dims, and of each input the prefix that the counts say. The token mask is used up
  /// to the last row that has one. Of the block table nothing where it has fewer than all columns: then it is
  /// not contiguous. No range holds rows of the table that the step does not have.
  ByteRanges usedInputs(const StepInputs &inputs, int64_t columns) const;

private:
  int64_t tableBlocks = 0;
  uint32_t vocabulary = 0;
  std::array<uint64_t, kNumStepInputs> inputOffsets{};
  std::array<uint64_t, kNumStepOutputs> outputOffsets{};
  uint64_t inputEnd = 0, outputEnd = 0;
};

} // namespace kimi::runtime
