// Tensor maps: what the copy engine of sm_90 (TMA) needs to know of a tensor to fetch boxes of it.
#pragma once

#include "runtime/cuda/Device.h"
#include "runtime/schema/artifact_generated.h"

#include <span>

namespace kimi::runtime::cuda {

/// A tensor in device memory. Innermost dimension first. checkPlan has looked at ranks, strides and boxes.
struct TensorMapDescription {
  artifact::DataType type;
  CUdeviceptr address;
  std::span<const uint64_t> shape;   // elements
  std::span<const uint64_t> strides; // bytes, of all dimensions but the innermost
  std::span<const uint32_t> box;     // elements
  artifact::Swizzle swizzle;
};

/// Elements outside the shape read as zero. Error: the driver refuses it.
Expected<CUtensorMap> encodeTensorMap(const Device &device, const TensorMapDescription &description);

} // namespace kimi::runtime::cuda
