// --weights=reference: weights that stay in the checkpoint's own files. Thread rule: call from one thread; it uses several.
#pragma once

#include "compiler/emit/WeightStore.h"

namespace kimi::emit {

/// Adds every weight that comes from the checkpoint to `packed`: as slices of its files, which `directory`/checkpoint/
/// links to and which are hashed. An error names the weight whose layout is no strided slice of a file, or whose type
/// is not the file's; or the tensor whose codes or scales are no numbers, as in checkValues().
llvm::Error referWeights(mlir::ModuleOp plan, const import_::CheckpointIndex &checkpoint, const SourceFiles &sources,
                         const PackOptions &options, PackedWeights &packed);

} // namespace kimi::emit
