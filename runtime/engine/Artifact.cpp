#include "runtime/engine/Artifact.h"

#include "runtime/base/Hash.h"
#include "runtime/base/Machine.h"
#include "runtime/base/Units.h"
#include "runtime/engine/PlanCheck.h"
#include "runtime/engine/ShapeValues.h"

#include <algorithm>
#include <fmt/format.h>

namespace kimi::runtime {

Expected<Artifact> Artifact::open(const std::filesystem::path &directory, const ArtifactOptions &options) {
  std::error_code error;
  if (!std::filesystem::is_directory(directory, error))
    return failure(fmt::format("{}: no such artifact directory", directory.string()));
  Artifact artifact;
  TRY_ASSIGN(artifact.manifestData, Manifest::read(directory / "manifest.json"));
  artifact.directory = directory;
  TRY(artifact.openPlan());
  TRY(artifact.openFiles());
  TRY(artifact.verify(options));
  return artifact;
}

Status Artifact::openPlan() {
  auto path = directory / "plan.fb";
  TRY_ASSIGN(planFile, MappedFile::open(path));
  auto bytes = planFile.bytes();
  if (bytes.size() != manifestData.planBytes)
    return failure(fmt::format("{}: has {} bytes, but manifest.json records {}", path.string(), bytes.size(),
                               manifestData.planBytes));
  // Before a byte of it is believed.
  if (auto hash = hashHex(bytes); hash != manifestData.planHash)
    return failure(
        fmt::format("{}: hash {} does not match manifest.json's {}: the file is damaged or from another "
                    "compilation",
                    path.string(), hash, manifestData.planHash));
  auto plan = parsePlan(bytes);
  if (!plan)
    return failure(path.string(), plan.error());
  planData = *plan;
  if (auto status = checkPlan(*planData); !status)
    return failure(path.string(), status.error());
  return {};
}

/// The rest of a message about a file that is not what the plan says.
static std::string whatToDo(const artifact::File &file, const std::filesystem::path &path) {
  if (!file.is_reference())
    return "";
  std::error_code error;
  return fmt::format(": the artifact reads the checkpoint's own {} (--weights=reference); put it back as it was, or "
                     "compile again",
                     std::filesystem::read_symlink(path, error).string());
}

/// The memory takes the file's place: whoever reads files or maps them need not know.
Status Artifact::makeShape(uint32_t index, int numThreads) {
  const artifact::File &file = *planData->files()->Get(index);
  TRY_ASSIGN(MemoryFile memory, MemoryFile::create(file.bytes(), file.path()->str()));
  for (uint32_t i = 0; i < sizeOf(rank().weights()); ++i)
    if (const artifact::Weight &weight = *rank().weights()->Get(i);
        sizeOf(weight.slices()) > 0 && weight.slices()->Get(0)->file() == index)
      fillShape(weight, memory.bytes(), numThreads);
  shapes.emplace(index, std::move(memory));
  TRY_ASSIGN(files[index], MappedFile::open(path(index)));
  return {};
}

Status Artifact::checkShapeMemory() const {
  uint64_t needed = 0, available = availableMemory();
  for (const artifact::File *file : *planData->files())
    needed += file->is_shape() ? file->bytes() : 0;
  if (needed > available)
    return failure(fmt::format("the artifact holds shapes of weights (--weights=shapes): {} of memory are needed to make "
                               "them up, {} is available: compile fewer --layers",
                               formatBytes(double(needed)), formatBytes(double(available))));
  return {};
}

Status Artifact::makeShapes(int numThreads) {
  TRY(checkShapeMemory());
  for (uint32_t i = 0; i < files.size(); ++i)
    if (planData->files()->Get(i)->is_shape())
      TRY(makeShape(i, numThreads));
  return {};
}

std::string Artifact::hash(uint32_t index) const {
  return planData->files()->Get(index)->is_shape() ? "" : planData->files()->Get(index)->hash()->str();
}

Status Artifact::openFiles() {
  for (uint32_t i = 0; i < sizeOf(planData->files()); ++i) {
    const artifact::File &file = *planData->files()->Get(i);
    if (file.is_shape()) {
      files.emplace_back();
      continue;
    }
    auto path = this->path(i);
    auto opened = MappedFile::open(path);
    if (!opened)
      return failure(opened.error().message + whatToDo(file, path));
    MappedFile mapped = std::move(*opened);
    if (mapped.bytes().size() != file.bytes())
      return failure(fmt::format("{}: has {} bytes, but the plan records {}{}", path.string(),
                                 mapped.bytes().size(), file.bytes(), whatToDo(file, path)));
    files.push_back(std::move(mapped));
  }
  weightFiles.assign(files.size(), false);
  for (uint32_t i = 0; i < sizeOf(rank().weights()); ++i)
    if (auto *slices = rank().weights()->Get(i)->slices())
      for (const artifact::WeightSlice *slice : *slices)
        weightFiles[slice->file()] = true;
  return {};
}

std::filesystem::path Artifact::path(uint32_t index) const {
  if (auto shape = shapes.find(index); shape != shapes.end())
    return shape->second.path();
  return directory / planData->files()->Get(index)->path()->str();
}

Status Artifact::verify(const ArtifactOptions &options) {
  std::vector<FileToVerify> toVerify;
  for (uint32_t i = 0; i < files.size(); ++i) {
    if (weightFiles[i])
      continue;
    files[i].readAhead();
    toVerify.push_back({path(i).string(), files[i].bytes(), planData->files()->Get(i)->hash()->str()});
  }
  std::vector<MappedFile> others; // mapped while they are hashed
  for (const Manifest::File &file : manifestData.files) {
    auto path = directory / file.path;
    TRY_ASSIGN(MappedFile mapped, MappedFile::open(path));
    toVerify.push_back({path.string(), mapped.bytes(), file.hash});
    others.push_back(std::move(mapped));
  }
  return verifyFiles(toVerify, options.numThreads, options.progress);
}

void Artifact::readWeightsAhead() const {
  for (uint32_t i = 0; i < files.size(); ++i)
    if (weightFiles[i])
      files[i].readAhead();
}

Status Artifact::verifyWeights(int numThreads, const Progress &progress) const {
  std::vector<FileToVerify> toVerify;
  for (uint32_t i = 0; i < files.size(); ++i)
    if (weightFiles[i] && !planData->files()->Get(i)->is_shape())
      toVerify.push_back({path(i).string(), files[i].bytes(), hash(i)});
  return verifyFiles(toVerify, numThreads, progress);
}

} // namespace kimi::runtime
