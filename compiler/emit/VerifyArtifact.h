// Reads an artifact as the runtime would: structure, sizes, hashes. Thread rule: call from one thread.
#pragma once

#include "compiler/emit/Files.h"

namespace kimi::emit {

/// The files that plan.fb lists. An error where manifest or plan is not what it should be.
llvm::Expected<std::vector<FileRecord>> readPlanFiles(const std::string &directory);

/// Reads every file of the artifact back. An error names the first that differs from what was recorded.
llvm::Error verifyArtifact(const std::string &directory, unsigned threads);

} // namespace kimi::emit
