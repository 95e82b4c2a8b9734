#include "passes/Pipeline.h"

#include "dialects/kernel/Kernel.h"
#include "passes/codegen/Passes.h"
#include "passes/fuse/Passes.h"
#include "passes/partition/Passes.h"
#include "passes/plan/Passes.h"
#include "passes/select/Passes.h"
#include "passes/specialise/Passes.h"

#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace kimi {

llvm::StringRef phaseName(Phase phase) {
  static constexpr llvm::StringLiteral names[] = {"import", "partition", "specialise", "fuse",
                                                  "select", "codegen",   "plan",       "emit"};
  return names[static_cast<unsigned>(phase)];
}

std::optional<Phase> parsePhase(llvm::StringRef name) {
  for (Phase phase : allPhases)
    if (phaseName(phase) == name)
      return phase;
  return std::nullopt;
}

void buildPhase(Phase phase, OpPassManager &passes, const PipelineOptions &options) {
  switch (phase) {
  case Phase::import_:
  case Phase::emit:
    return;
  case Phase::partition:
    passes::addPartitionPasses(passes);
    return;
  case Phase::specialise:
    passes::addSpecialisePasses(passes);
    return;
  case Phase::fuse:
    passes.addPass(passes::createFuse());
    return;
  case Phase::select:
    // Implementations first: what they accept decides the layouts; costs describe the outcome.
    passes.addPass(passes::createPeelProducts());
    passes.addPass(passes::createSelectImplementation());
    passes.addPass(passes::createJoinReaders());
    passes.addPass(passes::createSelectLayout());
    passes.addPass(passes::createEstimateCost());
    return;
  case Phase::codegen:
    passes.addPass(passes::createGenerateCode({options.codeDirectory, options.kernelDump}));
    return;
  case Phase::plan:
    passes::addPlanPasses(passes);
    return;
  }
}

} // namespace kimi
