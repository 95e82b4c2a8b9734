// A miniature artifact, written by the test itself: embedding, per layer (add, cache write, cache read),
// logits, arg max. Its kernels are toy_kernels.c. Tests change the Toy before writing, or the files after, to
// see it refused.
#pragma once

#include "runtime/schema/artifact_generated.h"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace kimi::test {

inline constexpr uint32_t kToyVocabulary = 97, kToyHidden = 8, kToyLayers = 2, kToyContext = 300;

/// A new empty directory, removed with all it holds when destroyed.
class ScratchDirectory {
public:
  ScratchDirectory();
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory &) = delete;
  ScratchDirectory &operator=(const ScratchDirectory &) = delete;
  const std::filesystem::path &path() const { return directory; }

private:
  std::filesystem::path directory;
};

/// Embedding row of a token and added row of a layer, as written to the weight files.
float toyEmbedding(uint32_t token, uint32_t i);
float toyBias(uint32_t layer, uint32_t i);

/// The plan in the flatbuffers object form. `edit` changes it before it is written.
artifact::PlanT toyPlan();

/// Writes the artifact; files, hashes and manifest fit the edited plan. Returns the directory NAME.kimi.
std::filesystem::path writeToyArtifact(const std::filesystem::path &parent,
                                       const std::function<void(artifact::PlanT &)> &edit = {});

/// The same for cuda:sm_90a; its "cubin" runs on the fake driver (fake_cuda/FakeCuda.h).
std::filesystem::path writeToyCudaArtifact(const std::filesystem::path &parent,
                                           const std::function<void(artifact::PlanT &)> &edit = {});

/// Packs `plan` as plan.fb and writes a manifest whose hashes fit.
void writePlan(const std::filesystem::path &directory, const artifact::PlanT &plan);
void writeManifest(const std::filesystem::path &directory, std::string_view planBytes,
                   uint32_t formatVersion = 1);

std::string readFile(const std::filesystem::path &path);
void writeFile(const std::filesystem::path &path, std::string_view bytes);

} // namespace kimi::test
