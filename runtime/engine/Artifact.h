// An artifact directory, opened and verified: after open() succeeds, everything the plan says may be relied
// on. Owner of the plan's memory and of the mapped files. Thread rule: constant after open(); any thread may
// read.
#pragma once

#include "runtime/base/MappedFile.h"
#include "runtime/base/Status.h"
#include "runtime/engine/FileVerifier.h"
#include "runtime/engine/Manifest.h"
#include "runtime/schema/artifact_generated.h"

#include <filesystem>
#include <vector>

namespace kimi::runtime {

struct ArtifactOptions {
  bool verifyWeights = true; // hash the weight files; the plan, code and other files are always hashed
  int numThreads = 1;        // that hash
  Progress progress = {};
};

class Artifact {
public:
  /// Errors: no directory, a missing or truncated file, another version, a hash that does not match, a plan
  /// that contradicts itself. One line, starting with the path.
  static Expected<Artifact> open(const std::filesystem::path &directory, const ArtifactOptions &options);

  const Manifest &manifest() const { return manifestData; }
  const artifact::Plan &plan() const { return *planData; }
  const artifact::Rank &rank() const { return *planData->ranks()->Get(0); }
  std::string fingerprint() const { return "fp_" + manifestData.planHash.substr(0, 12); }

  /// The bytes of files[index].
  std::span<const std::byte> file(uint32_t index) const { return files[index].bytes(); }

  /// What files[index] is for.
  bool isWeightFile(uint32_t index) const { return weightFiles[index]; }

private:
  Artifact() = default;
  Status openPlan(const std::filesystem::path &directory);
  Status openFiles(const std::filesystem::path &directory);
  Status verify(const std::filesystem::path &directory, const ArtifactOptions &options);

  Manifest manifestData;
  MappedFile planFile;
  const artifact::Plan *planData = nullptr; // inside planFile
  std::vector<MappedFile> files;            // as in the plan
  std::vector<bool> weightFiles;            // as in the plan
};

} // namespace kimi::runtime
