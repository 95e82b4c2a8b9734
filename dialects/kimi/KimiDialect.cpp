#include "dialects/kimi/Kimi.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace kimi::model;

#include "dialects/kimi/KimiDialect.cpp.inc"
#include "dialects/kimi/KimiEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/kimi/KimiAttrs.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/kimi/KimiTypes.cpp.inc"

void KimiDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/kimi/KimiAttrs.cpp.inc"
      >();
}

void KimiDialect::registerTypes() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/kimi/KimiTypes.cpp.inc"
      >();
}

void KimiDialect::initialize() {
  registerAttributes();
  registerTypes();
  addOperations<
#define GET_OP_LIST
#include "dialects/kimi/KimiOps.cpp.inc"
      >();
}
