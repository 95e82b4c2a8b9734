// Runs phases in order: from a checkpoint or a dump, to an artifact or a dump. Thread rule: one run at a time.
#pragma once

#include "compiler/import/Import.h"
#include "passes/Pipeline.h"

namespace kimi {

struct CompileRequest {
  std::string input;                 // checkpoint directory, or a dump when `from` is not import
  std::string output;                // the artifact; or the dump after `to`, "-" = standard output
  Phase from = Phase::import_, to = Phase::emit;
  import_::ImportOptions options;    // of import
  std::string dumpDirectory;         // if not empty: NN-PHASE.mlir after every phase, and the machine code
  std::string kernelDump;            // as in PipelineOptions
  unsigned threads = 2;
  bool quiet = false;                // no progress
};

/// Errors go to standard error, one line each. Returns whether all went well.
bool compile(const CompileRequest &request);

/// "kimic: error: MESSAGE" on standard error.
void reportError(const llvm::Twine &message);

} // namespace kimi
