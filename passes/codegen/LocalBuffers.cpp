#include "passes/codegen/LocalBuffers.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Interfaces/ValueBoundsOpInterface.h"

using namespace mlir;

FailureOr<int64_t> kimi::passes::boundOf(memref::AllocOp alloc) {
  MemRefType type = alloc.getType();
  int64_t elements = 1;
  unsigned next = 0;
  for (int64_t size : type.getShape()) {
    if (size == ShapedType::kDynamic) {
      Value value = alloc.getDynamicSizes()[next++];
      auto bound = ValueBoundsConstraintSet::computeConstantBound(presburger::BoundType::UB, value, nullptr,
                                                                  /*closedUB=*/true);
      if (failed(bound))
        return alloc.emitError() << "kernel '" << alloc->getParentOfType<func::FuncOp>().getSymName()
                                 << "' needs a local buffer " << type << " of unbounded size";
      size = *bound;
    }
    elements *= size;
  }
  return elements * ((type.getElementTypeBitWidth() + 7) / 8);
}
