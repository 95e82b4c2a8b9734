// The text of a CUDA kernel → C++ that a host compiler takes together with device.h.
#pragma once

#include <expected>
#include <string>

namespace emulate {

/// Lines stay where they are. Three things change: each `asm` of one PTX instruction becomes a call of a function named
/// after it, dynamic shared memory a pointer to it, and the kernel a function that exported ones run block by block
/// (device.h, EMULATE_IMAGE):
///
///   asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(half));    ptx_cvt_f32_f16(result, half);
///   extern __shared__ __align__(128) u8 shared[];             u8 *const shared = emulate::sharedMemory();
///   extern "C" __global__ void __launch_bounds__(256, 1) k(   static void emulatedKernel(
///
/// An error is "LINE: what is wrong".
std::expected<std::string, std::string> translate(const std::string &cuda);

} // namespace emulate
