// The runtime's public API: load an artifact, fill the step inputs, step, read the outputs.
//
//   auto engine = kimi::Engine::load("model.kimi", {});       // maps, verifies, allocates once
//   kimi::StepInputs &in = (*engine)->inputs();               // views into memory the kernels read
//   ... fill in.tokenIds[0..T), in.numTokens = T, ...
//   (*engine)->step();                                        // runs the smallest entry that fits
//   (*engine)->outputs().sampledTokens[0]
//
// Thread rule: one thread at a time uses an Engine. A step allocates nothing.
#pragma once

#include "runtime/base/Status.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kimi {

inline constexpr int32_t kBlockTokens = 64;     // positions in one cache block
inline constexpr int32_t kMaxTopLogprobs = 20;  // columns of topTokens and topLogprobs

struct EngineOptions {
  int numThreads = 0;            // 0 = as many as the process may use
  uint64_t cacheBytes = 0;       // memory for the paged cache; 0 = maxSequences of the largest decode entry at full
                                 // context, but at most a quarter of the free memory
  bool verifyWeights = true;     // hash every weight file while loading
  bool readLogits = false; // CUDA: copy the logits to the host after each step; without it outputs().logits
                           // is empty there. On the CPU they lie where they are computed: always there, free
  bool useGraphs = true; // CUDA: decode entries run as one graph each. false = launch every kernel of every
                         // entry by itself and wait for it, so that an error names the kernel
  bool poison = false;           // for tests: fill scratch memory and outputs with NaN bytes before each step
  /// Called now and then by the loading thread while files are read: bytes so far, bytes to read.
  std::function<void(uint64_t done, uint64_t total)> progress = {};
};

struct ModelInfo {
  std::string name;
  std::string weights;           // "packed", "reference", "random, seed 1", "shapes"; "" where not recorded
  std::string layersKept;        // "2 of 61"; "" = all
  std::string numerics;
  std::string target;
  std::string device;            // "NVIDIA H200, 132 processors, 139 GiB"; empty on the CPU
  std::string fingerprint;       // "fp_" + first digits of the plan's hash
  uint32_t vocabulary = 0;
  uint32_t hidden = 0;
  uint32_t layers = 0;
  uint32_t contextLength = 0;    // positions
};

/// The most a step can hold; requests beyond it must be split by the caller.
struct Limits {
  int64_t maxTokens = 0;             // of the largest mixed entry
  int64_t maxSequences = 0;
  int64_t maxLogitRows = 0;
  int64_t maxTableBlocks = 0;        // = ceil(contextLength / 64)
  int64_t maxBiasEntries = 0;
  int64_t maxPenaltyEntries = 0;
  int64_t cacheBlocks = 0;           // of 64 tokens each, block 0 included
};

/// Views into the step-input table (runtime/schema/artifact.fbs, enum StepInput, says shape and meaning of each).
/// Capacities are Limits; the caller fills prefixes and sets the counts.
struct StepInputs {
  int64_t numTokens = 0, numSequences = 0, numLogitRows = 0, numBiasEntries = 0, numPenaltyEntries = 0;
  std::span<int32_t> tokenIds, positions, tokenSequences, sequenceOffsets;
  std::span<int32_t> blockTables;    // [maxSequences][maxTableBlocks], row stride maxTableBlocks
  std::span<int32_t> cacheSlots, logitRows;
  std::span<float> temperature, topP, minP;
  std::span<int32_t> topK;
  std::span<uint32_t> seeds, drawIndex;
  std::span<int32_t> maskRows;
  std::span<uint32_t> tokenMask;     // [maxLogitRows][ceil(vocabulary/32)]
  std::span<int32_t> biasOffsets, biasTokens;
  std::span<float> biasValues;
  std::span<int32_t> penaltyOffsets, penaltyTokens, penaltyCounts;
  std::span<float> repetitionPenalty, presencePenalty, frequencyPenalty;
  std::span<int32_t> logprobCounts;
};

/// Valid until the next step.
struct StepOutputs {
  std::span<const int32_t> sampledTokens;
  std::span<const float> logits;           // [numLogitRows][vocabulary]
  std::span<const float> sampledLogprobs;
  std::span<const int32_t> topTokens;      // [numLogitRows][kMaxTopLogprobs]
  std::span<const float> topLogprobs;
  std::span<const int32_t> finite;
};

/// Time one kernel took, summed over the steps since profiling was switched on.
struct KernelTime {
  std::string_view name; // valid as long as the engine
  uint64_t launches = 0;
  double seconds = 0;
  double bytes = 0;   // by the plan's cost
  double flops = 0;
};

/// Where the host's time of one step went, in seconds, and what it asked a device to copy. What belongs to a device stays 0
/// where the host runs the kernels.
struct StepTimes {
  double check = 0;    // of the inputs; choosing an entry
  double upload = 0;   // asking for the copies of inputs
  double start = 0;    // asking for the entry's graph, or its launches
  double download = 0; // asking for the copies of outputs
  double wait = 0;     // for the device
  int64_t copies = 0;  // of inputs
  uint64_t copiedBytes = 0;
};

/// How the weights came into the memory that kernels read. On the CPU, where they stay mapped, what hashing
/// them took. Making up those that are shapes only is not part of it.
struct LoadReport {
  uint64_t weightBytes = 0; // that were read; on the CPU 0 where they were only mapped or made up
  double weightSeconds = 0;
};

class Engine {
public:
  virtual ~Engine() = default;

  /// Errors: no such directory, not an artifact, wrong version, a hash that does not match, a target this machine
  /// cannot run, too little memory. Each is one line; nothing stays half-loaded.
  static Expected<std::unique_ptr<Engine>> load(const std::filesystem::path &artifact, const EngineOptions &options);

  virtual const ModelInfo &model() const = 0;
  virtual const Limits &limits() const = 0;
  virtual const LoadReport &loadReport() const = 0;
  virtual StepInputs &inputs() = 0;

  /// Checks the inputs' counts and indices, picks the smallest entry that fits and runs it.
  /// Errors name the field, the value and the limit; the cache is then unchanged. After a device's fault,
  /// which the error says, the engine is of no use any more: every later step gives the same error.
  virtual Status step() = 0;
  virtual const StepOutputs &outputs() const = 0;

  virtual void setProfiling(bool on) = 0;              // also clears the times
  virtual std::vector<KernelTime> profile() const = 0;
  /// Of the last step, if it was one: a step that is refused has no times.
  virtual StepTimes lastStepTimes() const { return {}; }
};

} // namespace kimi
