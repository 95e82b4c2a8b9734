// Reads an artifact as the runtime would: structure, sizes, hashes. Thread rule: call from one thread.
#pragma once

#include "compiler/emit/Files.h"
#include "compiler/emit/Progress.h"

#include "llvm/ADT/StringSet.h"

namespace kimi::emit {

/// Reads every file of the artifact back, but for `verified` ones. An error names the first that differs from what was
/// recorded.
llvm::Error verifyArtifact(const std::string &directory, unsigned threads, const llvm::StringSet<> &verified = {},
                           ProgressTo to = ProgressTo::nobody);

} // namespace kimi::emit
