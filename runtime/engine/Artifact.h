// An artifact directory, opened and verified: after open() succeeds, everything the plan says may be relied
// on; what its weights hold, once verifyWeights() or whoever reads them has hashed them. Owner of the plan's
// memory and of the mapped files. Thread rule: constant after open(); any thread may read.
#pragma once

#include "runtime/base/MappedFile.h"
#include "runtime/base/MemoryFile.h"
#include "runtime/base/Status.h"
#include "runtime/engine/FileVerifier.h"
#include "runtime/engine/Manifest.h"
#include "runtime/schema/artifact_generated.h"

#include <filesystem>
#include <map>
#include <vector>

namespace kimi::runtime {

struct ArtifactOptions {
  int numThreads = 1; // that hash plan, code and other files; weights are left to verifyWeights()
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

  /// Fills memory for every file that is a shape only; until then such a file is empty. Error: too little
  /// memory, which can also be asked for before.
  Status makeShapes(int numThreads);
  Status checkShapeMemory() const;

  /// The bytes of files[index].
  std::span<const std::byte> file(uint32_t index) const { return files[index].bytes(); }

  /// Where files[index] is, and what it is for.
  std::filesystem::path path(uint32_t index) const;
  bool isWeightFile(uint32_t index) const { return weightFiles[index]; }
  /// What it must hash to; "" where it is a shape only (kimic --weights=shapes).
  std::string hash(uint32_t index) const;

  /// Asks the system to read the weights ahead, for whoever uses them where they are mapped.
  void readWeightsAhead() const;

  /// Hashes the weight files where they are mapped. Error: the first that does not match.
  Status verifyWeights(int numThreads, const Progress &progress) const;

private:
  Artifact() = default;
  Status openPlan();
  Status openFiles();
  Status makeShape(uint32_t index, int numThreads);
  Status verify(const ArtifactOptions &options);

  std::filesystem::path directory;
  Manifest manifestData;
  MappedFile planFile;
  const artifact::Plan *planData = nullptr; // inside planFile
  std::vector<MappedFile> files;            // as in the plan
  std::map<uint32_t, MemoryFile> shapes;    // files that are shapes only, with values made here
  std::vector<bool> weightFiles;            // as in the plan
};

} // namespace kimi::runtime
