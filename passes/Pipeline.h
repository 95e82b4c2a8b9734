// The one place where the order of phases and passes is written.
#pragma once

#include "mlir/Pass/PassManager.h"

#include <array>
#include <optional>
#include <string>

namespace kimi {

/// In the order in which they run. The names are the words of the command line, the folders, the dumps and the tests.
enum class Phase { import_, partition, specialise, fuse, select, codegen, plan, emit };

inline constexpr std::array allPhases = {Phase::import_, Phase::partition, Phase::specialise, Phase::fuse,
                                         Phase::select,  Phase::codegen,   Phase::plan,       Phase::emit};

llvm::StringRef phaseName(Phase phase);
std::optional<Phase> parsePhase(llvm::StringRef name);

/// What steers a run but is no property of the model: never recorded in the IR.
struct PipelineOptions {
  std::string codeDirectory; // where codegen leaves the machine code, by hash
  std::string kernelDump;    // if not empty: one .mlir, .ll, .s per kernel go there
};

/// Adds the passes of one phase (partition .. plan). import and emit are no passes: compiler/ runs them.
void buildPhase(Phase phase, mlir::OpPassManager &passes, const PipelineOptions &options);

} // namespace kimi
