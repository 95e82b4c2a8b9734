#ifndef PLAN_DIALECT
#define PLAN_DIALECT

include "mlir/IR/OpBase.td"

def Plan_Dialect : Dialect {
  let name = "plan";
  let cppNamespace = "::kimi::plan";
  let summary = "What one rank executes: the text form of runtime/schema/artifact.fbs";
  let description = [{
    One operation per table of the schema. Every buffer has its offset, every launch its grid, every argument its
    kind: no decision is left. Made by the phase `plan`; `emit` walks it in order and writes what it reads.
  }];
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::kimi::kernel::KernelDialect", "::kimi::model::KimiDialect"];
  let extraClassDeclaration = "void registerAttributes();";
}

#endif
