#include "runtime/cuda/TensorMap.h"

namespace kimi::runtime::cuda {

using artifact::DataType;

/// Only its size counts for copying; 8-bit floats have no type of their own.
static CUtensorMapDataType mapType(DataType type) {
  switch (type) {
  case DataType::i32:
    return CU_TENSOR_MAP_DATA_TYPE_INT32;
  case DataType::u32:
    return CU_TENSOR_MAP_DATA_TYPE_UINT32;
  case DataType::i64:
    return CU_TENSOR_MAP_DATA_TYPE_INT64;
  case DataType::bf16:
    return CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
  case DataType::f16:
    return CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
  case DataType::f32:
    return CU_TENSOR_MAP_DATA_TYPE_FLOAT32;
  default: // i8, u8, f8e4m3
    return CU_TENSOR_MAP_DATA_TYPE_UINT8;
  }
}

Expected<CUtensorMap> encodeTensorMap(const Device &device, const TensorMapDescription &description) {
  static constexpr uint32_t kDense[5] = {1, 1, 1, 1, 1};
  // The schema's swizzles have the driver's numbers.
  static_assert(int(artifact::Swizzle::bytes_128) == CU_TENSOR_MAP_SWIZZLE_128B);
  CUtensorMap map{};
  TRY(device.driver().cuTensorMapEncodeTiled(
      &map, mapType(description.type), uint32_t(description.shape.size()),
      reinterpret_cast<void *>(description.address), description.shape.data(), description.strides.data(),
      description.box.data(), kDense, CU_TENSOR_MAP_INTERLEAVE_NONE, CUtensorMapSwizzle(description.swizzle),
      CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE));
  return map;
}

} // namespace kimi::runtime::cuda
