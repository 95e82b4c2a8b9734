#include "dialects/plan/Plan.h"

using namespace mlir;
using namespace kimi::plan;

#include "dialects/plan/PlanDialect.cpp.inc"

void PlanDialect::initialize() {
  registerAttributes();
  addOperations<
#define GET_OP_LIST
#include "dialects/plan/PlanOps.cpp.inc"
      >();
}

SmallVector<std::string> kimi::plan::codeFiles(ModuleOp module) {
  SmallVector<std::string> files;
  auto add = [&](StringAttr name) {
    if (name && !llvm::is_contained(files, name.getValue()))
      files.push_back(name.str());
  };
  add(module->getAttrOfType<StringAttr>(kCodeAttr));
  for (auto func : module.getOps<kimi::kernel::FuncOp>())
    add(func->getAttrOfType<StringAttr>(kKernelCodeAttr));
  for (auto kernel : module.getOps<KernelOp>())
    add(kernel.getCodeAttr());
  return files;
}
