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

LogicalResult TensorMapAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t, Type, ArrayAttr shape,
                                    DenseI64ArrayAttr strides, DenseI64ArrayAttr box, int64_t swizzle) {
  auto rank = static_cast<int64_t>(shape.size());
  if (box.size() != rank || strides.size() + 1 != rank) // C1
    return emitError() << "a tensor map of " << shape.size() << " dimensions has as many box sizes and one stride less, not "
                       << box.size() << " and " << strides.size();
  if (!llvm::all_of(shape, llvm::IsaPred<ExtentAttr>)) // C2
    return emitError() << "the shape of a tensor map is made of #kernel.extent, not " << shape;
  if (!llvm::is_contained({0, 32, 64, 128}, swizzle)) // C3
    return emitError() << "a tensor map swizzles by 0, 32, 64 or 128 bytes, not " << swizzle;
  return success();
}

LogicalResult LaunchAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t, int64_t, int64_t, bool,
                                 ArrayAttr maps) {
  if (maps && !llvm::all_of(maps, llvm::IsaPred<TensorMapAttr>)) // C1
    return emitError() << "tensor_maps holds #kernel.tensor_map, not " << maps;
  return success();
}

LogicalResult MatrixProductAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t activations, Type activationType,
                                        int64_t weight, Type weightType, int64_t result, Type resultType,
                                        int64_t workspace, int64_t workspaceBytes, int64_t columns, int64_t depth) {
  SmallVector<int64_t> arguments = {activations, weight, result, workspace};
  llvm::sort(arguments);
  if (arguments.front() < 0 || std::adjacent_find(arguments.begin(), arguments.end()) != arguments.end()) // C1
    return emitError() << "a matrix product needs four different arguments, not " << activations << ", " << weight << ", "
                       << result << " and " << workspace;
  if (!activationType.isBF16() || !weightType.isBF16() || (!resultType.isBF16() && !resultType.isF32())) // C2
    return emitError() << "a matrix product is of bf16 and bf16, to f32 or bf16, not of " << activationType << " and "
                       << weightType << " to " << resultType;
  if (columns < 1 || depth < 1 || workspaceBytes < 1) // C3
    return emitError() << "a matrix product has columns, a depth and a workspace, not " << columns << ", " << depth << " and "
                       << workspaceBytes;
  return success();
}
