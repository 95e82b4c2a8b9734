// What a kernel does with the sums of its product, as the functor that the template skinny_gemm calls.
#pragma once

#include "passes/select/SkinnyProduct.h"

namespace kimi::passes {

/// `struct Epilogue` for `kernel`, whose product is `product`, of the class found by select: per call one row and as many
/// columns as the splice is wide. Its arguments are those buffers of the kernel, arguments and results, that the template
/// does not read itself: "u8 *b3". Errors are reported at the kernel.
mlir::FailureOr<cuda::Splice> writeSkinnyEpilogue(kernel::FuncOp kernel, const SkinnyProduct &product);

/// "b3": a kernel's buffers in CUDA C++, arguments first, then results.
std::string bufferName(unsigned number);

} // namespace kimi::passes
