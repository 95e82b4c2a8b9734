// A recipe stands for what a weight file is made from: which bytes of which files, and how they come to lie. Equal
// recipes give equal files, so a recipe that is in a log needs no packing, and none of the source is read to know.
// Thread rule: plain functions.
#pragma once

#include "compiler/emit/Files.h"
#include "compiler/emit/WeightSource.h"

namespace kimi::emit {

/// 32 hex digits. `files` are the checkpoint's, as in `source`; the name of the weight is no part of it, so that tied
/// weights are packed once.
std::string recipeOf(plan::WeightOp weight, const WeightSource &source, llvm::ArrayRef<FileIdentity> files);

} // namespace kimi::emit
