#include "passes/plan/Passes.h"

namespace kimi::passes {

void addPlanPasses(mlir::OpPassManager &passes) {
  // Offsets depend on an entry's capacity: each entry places buffers in functions of its own.
  passes.addPass(createCopyBlocks());
  passes.addPass(createAssignBuffers());
  // The last moment at which values and offsets are both there.
  passes.addPass(createVerifyArena());
  passes.addPass(createLowerToPlan());
}

} // namespace kimi::passes
