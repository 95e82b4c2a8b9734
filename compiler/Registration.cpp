#include "compiler/Registration.h"

#include "dialects/kimi/Kimi.h"
#include "dialects/plan/Plan.h"
#include "passes/codegen/Passes.h"
#include "passes/fuse/Passes.h"
#include "passes/partition/Passes.h"
#include "passes/plan/Passes.h"
#include "passes/select/Passes.h"
#include "passes/specialise/Passes.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"

namespace kimi {

void registerDialects(mlir::DialectRegistry &registry) {
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<model::KimiDialect, kernel::KernelDialect, plan::PlanDialect>();
}

void registerPasses() {
  passes::registerpartitionPasses();
  passes::registerspecialisePasses();
  passes::registerfusePasses();
  passes::registerselectPasses();
  passes::registercodegenPasses();
  passes::registerplanPasses();
}

} // namespace kimi
