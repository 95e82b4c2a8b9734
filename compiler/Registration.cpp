#include "compiler/Registration.h"

#include "dialects/kimi/Kimi.h"
#include "passes/partition/Passes.h"
#include "passes/specialise/Passes.h"
#ifdef KIMI_HAS_PLAN
#include "dialects/plan/Plan.h"
#endif
#ifdef KIMI_HAS_PASSES_FUSE
#include "passes/fuse/Passes.h"
#endif
#ifdef KIMI_HAS_PASSES_SELECT
#include "passes/select/Passes.h"
#endif
#ifdef KIMI_HAS_PASSES_CODEGEN
#include "passes/codegen/Passes.h"
#endif
#ifdef KIMI_HAS_PASSES_PLAN
#include "passes/plan/Passes.h"
#endif

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"

namespace kimi {

void registerDialects(mlir::DialectRegistry &registry) {
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<model::KimiDialect, kernel::KernelDialect>();
#ifdef KIMI_HAS_PLAN
  registry.insert<plan::PlanDialect>();
#endif
}

void registerPasses() {
  passes::registerpartitionPasses();
  passes::registerspecialisePasses();
#ifdef KIMI_HAS_PASSES_FUSE
  passes::registerfusePasses();
#endif
#ifdef KIMI_HAS_PASSES_SELECT
  passes::registerselectPasses();
#endif
#ifdef KIMI_HAS_PASSES_CODEGEN
  passes::registercodegenPasses();
#endif
#ifdef KIMI_HAS_PASSES_PLAN
  passes::registerplanPasses();
#endif
}

} // namespace kimi
