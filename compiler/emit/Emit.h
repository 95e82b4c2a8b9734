// The last phase: a module of the plan dialect → an artifact directory. Thread rule: call from one thread; it uses
// several.
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>

namespace kimi::emit {

struct EmitOptions {
  std::string output;        // NAME.kimi
  std::string codeDirectory; // where kimi.code lies
  unsigned threads = 2;
  bool quiet = false; // no progress
};

struct EmitSummary {
  std::string planHash;
  uint64_t planBytes = 0, codeBytes = 0, weightBytes = 0, largestArenaBytes = 0;
  uint64_t packedBytes = 0;                    // of weights, written by this run ..
  double packSeconds = 0, verifySeconds = 0;   // .. in this time; reading back what was written
  unsigned entries = 0, kernels = 0, weightFiles = 0, reusedFiles = 0;
};

/// An error where nothing could be written to `output` anyway; for asking first, before hours of work.
llvm::Error checkOutput(const std::string &output);

/// Writes everything, reads it back, then puts it in place of what was at `output`, if that is an artifact. After an
/// error (one line) nothing has changed there; finished weights stay in `output`.partial, and the next call goes on from
/// them.
llvm::Expected<EmitSummary> emitArtifact(mlir::ModuleOp plan, const EmitOptions &options);

} // namespace kimi::emit
