// Owner of the step inputs and outputs: one buffer each, sized once for the largest step of any entry.
#pragma once

#include "runtime/base/HostBuffer.h"
#include "runtime/kimi.h"
#include "runtime/schema/artifact_generated.h"

#include <array>

namespace kimi::runtime {

inline constexpr size_t kNumStepInputs = size_t(artifact::StepInput::MAX) + 1;
inline constexpr size_t kNumStepOutputs = size_t(artifact::StepOutput::MAX) + 1;

/// Elements of one step input or output for a step of these sizes; every element has 4 bytes.
int64_t numElements(artifact::StepInput input, const Limits &sizes, uint32_t vocabulary);
int64_t numElements(artifact::StepOutput output, const Limits &sizes, uint32_t vocabulary);

class StepTable {
public:
  /// Error: too little memory. Inputs start as "no sampling option is on", everything else as 0.
  static Expected<StepTable> create(const Limits &capacity, uint32_t vocabulary);

  StepInputs &inputs() { return inputViews; }
  const StepInputs &inputs() const { return inputViews; }
  const StepOutputs &outputs() const { return outputViews; }

  /// Where kernels read and write; constant for the table's life, 64-byte aligned.
  void *address(artifact::StepInput input) const { return inputAddresses[size_t(input)]; }
  void *address(artifact::StepOutput output) const { return outputAddresses[size_t(output)]; }

  /// Lets outputs() show that many rows.
  void showRows(int64_t numLogitRows);

  /// Fills the outputs with NaN bytes.
  void poisonOutputs();

  /// All inputs, and all outputs, as they lie in memory: for an engine that keeps a copy elsewhere.
  std::span<std::byte> inputBytes() const { return {inputBuffer.data(), inputBuffer.size()}; }
  std::span<std::byte> outputBytes() const { return {outputBuffer.data(), outputBuffer.size()}; }

  uint64_t sizeBytes() const { return inputBuffer.size() + outputBuffer.size(); }

  /// What sizeBytes() of such a table will be.
  static uint64_t bytesNeeded(const Limits &capacity, uint32_t vocabulary);

private:
  template <typename T> std::span<T> view(artifact::StepInput input) const;
  template <typename T> std::span<const T> view(artifact::StepOutput output, int64_t numRows) const;
  void makeViews();

  Limits capacity;
  uint32_t vocabulary = 0;
  HostBuffer inputBuffer, outputBuffer;
  std::array<std::byte *, kNumStepInputs> inputAddresses{};
  std::array<std::byte *, kNumStepOutputs> outputAddresses{};
  StepInputs inputViews;
  StepOutputs outputViews;
};

} // namespace kimi::runtime
