// The checkpoint's files while they are packed: open, known by identity, read ahead. Thread rule: constant after open();
// a ReadAhead belongs to one thread.
#pragma once

#include "compiler/emit/Files.h"
#include "compiler/emit/WeightSource.h"
#include "compiler/import/InventedCheckpoint.h"

namespace kimi::emit {

class SourceFiles {
public:
  /// Waits out the grain of the file system's clock where a file was changed just now: a later change then shows.
  static llvm::Expected<SourceFiles> open(const import_::CheckpointIndex &checkpoint);
  /// Files of random values that lie nowhere.
  static SourceFiles invent(llvm::ArrayRef<import_::RandomKind> kinds, uint64_t seed);

  llvm::ArrayRef<InputFile> getFiles() const { return files; }
  /// As they were at open().
  llvm::ArrayRef<FileIdentity> getIdentities() const { return identities; }
  /// An error that names the file which is not what it was at open().
  llvm::Error checkUnchanged() const;

private:
  std::vector<InputFile> files;
  std::vector<FileIdentity> identities;
};

/// Keeps the disk reading ahead of one pass over a weight's source, also from one run of bytes into the next.
class ReadAhead {
public:
  ReadAhead(const WeightSource &source, llvm::ArrayRef<InputFile> files);
  /// `bytes` more were read.
  void advance(uint64_t bytes);

private:
  void ask();

  const WeightSource &source;
  llvm::ArrayRef<InputFile> files;
  uint64_t elementBytes, readBytes = 0, askedBytes = 0;
  size_t run = 0;         // the next byte to ask for: in runs[run] ..
  uint64_t runOffset = 0; // .. at this byte
};

} // namespace kimi::emit
