// Where every tensor of a checkpoint lies: read from safetensors headers alone. Used by import (names, shapes, types)
// and by the packer (bytes). Thread rule: a value; const methods may run on any thread.
#pragma once

#include "compiler/import/Safetensors.h"

#include "llvm/ADT/StringMap.h"

namespace kimi::import_ {

struct TensorLocation {
  unsigned file; // index into CheckpointIndex::getFiles()
  uint64_t offset; // of the first byte, from the beginning of the file
  uint64_t bytes;
  DataType type;
  Shape shape;
};

class CheckpointIndex {
public:
  /// Reads model.safetensors, or model.safetensors.index.json and every shard it names.
  static llvm::Expected<CheckpointIndex> open(llvm::StringRef directory);

  /// Null where the checkpoint has no such tensor.
  const TensorLocation *find(llvm::StringRef name) const;

  /// `name` as a string that lives as long as the index; empty where it has no such tensor.
  llvm::StringRef nameOf(llvm::StringRef name) const;

  /// Paths, sorted.
  llvm::ArrayRef<std::string> getFiles() const { return files; }
  size_t getNumTensors() const { return tensors.size(); }
  /// Sorted.
  std::vector<llvm::StringRef> getNames() const;

  /// For checkpoints that lie nowhere: the index of the file called `path`, new or not.
  unsigned addInventedFile(const std::string &path);
  /// False, and nothing changes, where there is a tensor of this name.
  bool addInventedTensor(llvm::StringRef name, TensorLocation location);

private:
  llvm::Error addFile(const std::string &path);
  llvm::Error addShards(llvm::StringRef directory, const std::string &indexPath);

  std::vector<std::string> files;
  llvm::StringMap<TensorLocation> tensors;
};

} // namespace kimi::import_
