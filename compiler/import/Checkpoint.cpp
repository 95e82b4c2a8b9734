#include "compiler/import/Checkpoint.h"

#include "compiler/import/Json.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <algorithm>
#include <set>

namespace kimi::import_ {
namespace {

constexpr llvm::StringLiteral kSingleFile = "model.safetensors";
constexpr llvm::StringLiteral kIndexFile = "model.safetensors.index.json";
constexpr uint64_t kMaxIndexBytes = 1u << 30;
constexpr size_t kMaxFileName = 255; // of Linux's file systems

std::string joinPath(llvm::StringRef directory, llvm::StringRef name) {
  llvm::SmallString<256> path(directory);
  llvm::sys::path::append(path, name);
  return path.str().str();
}

} // namespace

llvm::Expected<CheckpointIndex> CheckpointIndex::open(llvm::StringRef directory) {
  const std::string single = joinPath(directory, kSingleFile), index = joinPath(directory, kIndexFile);
  const bool hasSingle = llvm::sys::fs::exists(single), hasIndex = llvm::sys::fs::exists(index);
  if (!hasSingle && !hasIndex)
    return makeError(directory + " has neither " + kSingleFile + " nor " + kIndexFile +
                     ": point to the folder of a downloaded checkpoint");
  if (hasSingle && hasIndex)
    return makeError(directory + " has both " + kSingleFile + " and " + kIndexFile +
                     ": remove the one that does not belong to this checkpoint");
  CheckpointIndex checkpoint;
  if (llvm::Error error = hasIndex ? checkpoint.addShards(directory, index) : checkpoint.addFile(single))
    return error;
  return checkpoint;
}

llvm::Error CheckpointIndex::addFile(const std::string &path) {
  llvm::Expected<std::vector<TensorHeader>> headers = readSafetensorsHeader(path);
  if (!headers)
    return headers.takeError();
  const unsigned file = files.size();
  files.push_back(path);
  for (TensorHeader &header : *headers) {
    TensorLocation location{file, header.offset, header.bytes, header.type, std::move(header.shape)};
    auto [entry, isNew] = tensors.try_emplace(header.name, std::move(location));
    if (!isNew)
      return makeError("tensor " + inQuotes(header.name) + " is in " + files[entry->second.file] + " and again in " +
                       path);
  }
  return llvm::Error::success();
}

llvm::Error CheckpointIndex::addShards(llvm::StringRef directory, const std::string &indexPath) {
  llvm::Expected<std::string> text = readTextFile(indexPath, kMaxIndexBytes);
  if (!text)
    return text.takeError();
  llvm::Expected<llvm::json::Object> index = parseObject(*text, indexPath);
  if (!index)
    return index.takeError();
  const llvm::json::Object *map = index->getObject("weight_map");
  if (!map)
    return makeError(indexPath + " has no object \"weight_map\"");

  std::set<std::string> shards;
  for (const auto &[name, value] : *map) {
    const llvm::StringRef shard = value.getAsString().value_or("");
    // A shard is a file of this folder: no path leads elsewhere.
    if (shard.empty() || shard.size() > kMaxFileName || shard == "." || shard == ".." || shard.contains('/') ||
        shard.contains('\0'))
      return makeError(indexPath + ": tensor " + inQuotes(name) + " is said to be in " + inQuotes(shard) +
                       ", which is no file name");
    shards.insert(shard.str());
  }
  for (const std::string &shard : shards)
    if (llvm::Error error = addFile(joinPath(directory, shard)))
      return error;

  for (const auto &[name, value] : *map) {
    const TensorLocation *location = find(name);
    const std::string shard = joinPath(directory, *value.getAsString());
    if (!location || files[location->file] != shard)
      return makeError(indexPath + " says that tensor " + inQuotes(name) + " is in " + shard + " but it is " +
                       (location ? "in " + files[location->file] : std::string("in no shard")));
  }
  for (const auto &entry : tensors)
    if (!map->get(entry.getKey()))
      return makeError("tensor " + inQuotes(entry.getKey()) + " is in " + files[entry.second.file] + " but not in " +
                       indexPath);
  return llvm::Error::success();
}

const TensorLocation *CheckpointIndex::find(llvm::StringRef name) const {
  auto entry = tensors.find(name);
  return entry == tensors.end() ? nullptr : &entry->second;
}

unsigned CheckpointIndex::addInventedFile(const std::string &path) {
  const auto found = llvm::find(files, path);
  const auto index = static_cast<unsigned>(found - files.begin());
  if (found == files.end())
    files.push_back(path);
  return index;
}

bool CheckpointIndex::addInventedTensor(llvm::StringRef name, TensorLocation location) {
  return tensors.try_emplace(name, std::move(location)).second;
}

llvm::StringRef CheckpointIndex::nameOf(llvm::StringRef name) const {
  auto entry = tensors.find(name);
  return entry == tensors.end() ? llvm::StringRef() : entry->getKey();
}

std::vector<llvm::StringRef> CheckpointIndex::getNames() const {
  std::vector<llvm::StringRef> names(tensors.keys().begin(), tensors.keys().end());
  std::ranges::sort(names);
  return names;
}

} // namespace kimi::import_
