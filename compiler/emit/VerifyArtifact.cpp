#include "compiler/emit/VerifyArtifact.h"

#include "compiler/emit/Manifest.h"
#include "compiler/emit/Parallel.h"
#include "compiler/import/Json.h"
#include "runtime/schema/FormatVersion.h"
#include "runtime/schema/artifact_generated.h"

namespace kimi::emit {

static constexpr uint64_t kMaxPlanBytes = uint64_t(1) << 31; // where FlatBuffers end

static llvm::Error mismatch(const std::string &directory, const FileRecord &wanted, const FileRecord &found) {
  return import_::makeError(directory + "/" + wanted.path + " was read back with hash " + found.hash +
                            " but written with " + wanted.hash +
                            ": the disk is damaged; choose an -o on another one");
}

static llvm::Expected<std::vector<FileRecord>> parsePlanFiles(const std::string &directory, const FileRecord &plan) {
  const std::string path = directory + "/" + plan.path;
  llvm::Expected<std::string> bytes = import_::readTextFile(path, kMaxPlanBytes);
  if (!bytes)
    return bytes.takeError();
  if (FileRecord found{plan.path, bytes->size(), hashOf(*bytes)}; found.hash != plan.hash)
    return mismatch(directory, plan, found);
  auto *data = reinterpret_cast<const uint8_t *>(bytes->data());
  flatbuffers::Verifier verifier(data, bytes->size(), /*max_depth=*/16, /*max_tables=*/1 << 22);
  if (!artifact::PlanBufferHasIdentifier(data) || !artifact::VerifyPlanBuffer(verifier))
    return import_::makeError(path + " is no FlatBuffer of a plan");
  std::vector<FileRecord> files;
  if (auto *list = artifact::GetPlan(data)->files())
    for (const artifact::File *file : *list)
      files.push_back({file->path()->str(), file->bytes(), file->hash()->str()});
  return files;
}

/// The files that plan.fb lists.
static llvm::Expected<std::vector<FileRecord>> readPlanFiles(const std::string &directory) {
  llvm::Expected<ManifestView> manifest = readManifest(directory);
  if (!manifest)
    return manifest.takeError();
  if (manifest->formatVersion != artifact::kFormatVersion)
    return import_::makeError(directory + " has format version " + llvm::Twine(manifest->formatVersion) +
                              " but this kimic writes " + llvm::Twine(artifact::kFormatVersion));
  return parsePlanFiles(directory, manifest->plan);
}

llvm::Error verifyArtifact(const std::string &directory, unsigned threads, const llvm::StringSet<> &verified,
                           ProgressTo to) {
  llvm::Expected<std::vector<FileRecord>> files = readPlanFiles(directory);
  if (!files)
    return files.takeError();
  llvm::erase_if(*files, [&](const FileRecord &file) { return verified.contains(file.path); });
  uint64_t total = 0;
  for (const FileRecord &file : *files)
    total += file.bytes;
  llvm::Expected<ManifestView> manifest = readManifest(directory);
  if (!manifest)
    return manifest.takeError();
  files->insert(files->end(), manifest->files.begin(), manifest->files.end());
  Progress progress("verifying", total, to);
  return parallelFor(files->size(), threads, [&](size_t index) -> llvm::Error {
    const FileRecord &wanted = (*files)[index];
    llvm::Expected<FileRecord> found =
        hashFile(directory, wanted.path, [&](uint64_t bytes) { progress.advance(bytes); });
    if (!found)
      return found.takeError();
    return found->hash == wanted.hash ? llvm::Error::success() : mismatch(directory, wanted, *found);
  });
}

} // namespace kimi::emit
