// All weights of a plan, packed into content-addressed files. Thread rule: call from one thread; it uses several.
#pragma once

#include "compiler/emit/Files.h"
#include "compiler/import/Checkpoint.h"
#include "dialects/plan/Plan.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringMap.h"

namespace kimi::emit {

/// Files that an earlier artifact at the same place already holds: path relative to it → record.
struct EarlierFiles {
  std::string directory; // empty: there is none
  llvm::StringMap<FileRecord> files;
};

struct PackedWeights {
  std::vector<FileRecord> files;                         // each once, sorted by path
  llvm::StringMap<std::vector<unsigned>> slices;         // weight → per layer, index into `files`
  uint64_t bytes = 0;                                    // of `files`
  unsigned reused = 0;                                   // of `files`, taken from the earlier artifact
};

/// Writes `directory`/weights/HASH.bin for every layer of every weight. HASH is that of the source bytes, the physical
/// type and the layout: what an earlier artifact has under that name is linked, not written again.
llvm::Expected<PackedWeights> packWeights(mlir::ModuleOp plan, const import_::CheckpointIndex &checkpoint,
                                          const std::string &directory, const EarlierFiles &earlier,
                                          unsigned threads);

} // namespace kimi::emit
