// All weights of a plan, packed into files that are named by their own hash. Thread rule: call from one thread; it uses
// several.
#pragma once

#include "compiler/emit/PackLog.h"
#include "compiler/emit/Progress.h"
#include "compiler/emit/SourceFiles.h"
#include "compiler/import/Checkpoint.h"
#include "dialects/plan/Plan.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

namespace kimi::emit {

struct PackOptions {
  std::string directory;              // of the artifact that is being written
  std::vector<PackLog> logs = {};     // of `directory` and of an earlier artifact on the same file system
  unsigned threads = 2;
  ProgressTo progress = ProgressTo::nobody;
  bool onlyComputed = false;          // weights that come from a checkpoint are left to referWeights()
};

/// Where one layer of a weight lies.
struct PlacedSlice {
  unsigned file = 0; // index into PackedWeights::files
  uint64_t offset = 0;
};

struct PackedWeights {
  std::vector<FileRecord> files;                    // each once, sorted by path
  llvm::StringMap<std::vector<PlacedSlice>> slices; // weight → per layer
  uint64_t bytes = 0;                            // of `files`
  unsigned reused = 0;                           // of `files`: taken over
  llvm::StringSet<> verified;                    // paths of `files` that were read from the disk and match
  uint64_t packedBytes = 0;                      // written by this run
};

/// Writes `directory`/weights/HASH.bin for every layer of every weight, and the log of it. What a log has under a
/// weight's recipe is verified and taken over instead. After an error, what was finished stays there, with its log.
/// `sources`: the checkpoint's files.
llvm::Expected<PackedWeights> packWeights(mlir::ModuleOp plan, const import_::CheckpointIndex &checkpoint,
                                          const SourceFiles &sources, const PackOptions &options);

} // namespace kimi::emit
