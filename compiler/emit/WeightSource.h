// Where the bytes of one layer of a weight come from. Thread rule: values; plain functions.
#pragma once

#include "compiler/import/Checkpoint.h"
#include "dialects/plan/Plan.h"

namespace kimi::emit {

/// A contiguous run of elements in a checkpoint file.
struct SourceRun {
  unsigned file = 0; // index into CheckpointIndex::getFiles()
  uint64_t offset = 0;
  uint64_t elements = 0;
  llvm::StringRef tensor = {};   // the checkpoint's name
  uint64_t firstElement = 0;     // of the run, in the tensor
  std::vector<uint32_t> rows = {}; // if not empty: which row of the run each row of the weight takes, ascending
};

struct WeightSource {
  import_::DataType type = import_::DataType::BF16; // int4 codes count as U8: two in a byte, as in the file
  std::vector<SourceRun> runs; // in the order of the logical tensor's elements
};

/// Finds the runs of `weight` for `layer` (ignored where it has no layers). An error where the checkpoint lacks a
/// tensor or has it in another shape or type: the names and both shapes are in it.
llvm::Expected<WeightSource> findSource(plan::WeightOp weight, int64_t layer,
                                        const import_::CheckpointIndex &checkpoint);

} // namespace kimi::emit
