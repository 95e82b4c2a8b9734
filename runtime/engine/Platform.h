// What kind of machine a target's code runs on. The one place where targets are told apart: everything that
// depends on a target's kind is a member of its platform.
#pragma once

#include "runtime/engine/Artifact.h"
#include "runtime/kimi.h"

#include <memory>
#include <string_view>

namespace kimi::runtime {

/// What a machine can do at most, measured; 0 = not measured.
struct Ceilings {
  double bytesPerSecond = 0, flopsPerSecond = 0;
  const char *bytesName = "", *flopsName = ""; // what was measured: "read", "FMA", "copy"
};

class Platform {
public:
  /// By the target's prefix, `cpu:` or `cuda:`; an unknown one is the CPU's to refuse.
  static const Platform &of(std::string_view target);

  virtual ~Platform() = default;

  /// Error: this machine does not run the target's code.
  virtual Status check(std::string_view target) const = 0;

  /// Bytes that weights, buffers and caches may take here. Error: no such machine.
  virtual Expected<uint64_t> availableMemory() const = 0;

  /// Takes a second or two. `numThreads` are those of a CPU's engine. Errors: too little memory, no such
  /// machine.
  virtual Expected<Ceilings> measureCeilings(int numThreads) const = 0;

  virtual Expected<std::unique_ptr<Engine>> load(Artifact artifact, const EngineOptions &options,
                                                 int numThreads) const = 0;
};

} // namespace kimi::runtime
