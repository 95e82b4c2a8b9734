#include "dialects/kernel/Kernel.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace kimi::kernel;

#include "dialects/kernel/KernelEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/kernel/KernelAttrs.cpp.inc"

void KernelDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/kernel/KernelAttrs.cpp.inc"
      >();
}

std::optional<RankedTensorType> LayoutAttr::physicalType(RankedTensorType logical) const {
  SmallVector<int64_t> shape(logical.getShape());
  Type element = logical.getElementType();
  if (element.isInteger(4)) {
    if (shape.empty() || shape.back() % 2 != 0)
      return std::nullopt;
    shape.back() /= 2;
    element = IntegerType::get(getContext(), 8);
  }
  if (getKind() == LayoutKind::row_major)
    return RankedTensorType::get(shape, element);
  int64_t rank = logical.getRank();
  if (getKind() == LayoutKind::strided) {
    if (rank < 3 || getWidth() < shape[rank - 2])
      return std::nullopt;
    shape[rank - 2] = getWidth();
    return RankedTensorType::get(shape, element);
  }
  if (rank < 2 || getWidth() < 1 || shape[rank - 2] % getWidth() != 0)
    return std::nullopt;
  shape[rank - 2] /= getWidth();
  shape.push_back(getWidth());
  return RankedTensorType::get(shape, element);
}
