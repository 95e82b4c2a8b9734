// The text of the CUDA templates, as it was when kimic was built. Thread rule: plain functions.
#pragma once

#include <string_view>

namespace kimi::cuda {

/// The text of compiler/kernels/cuda/NAME, such as "ptx/tma.cuh"; empty where there is none.
std::string_view templateText(std::string_view name);

} // namespace kimi::cuda
