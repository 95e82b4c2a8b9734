// One loop over several threads. Thread rule: plain functions.
#pragma once

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

#include <cstddef>

namespace kimi::emit {

/// Calls body(0) .. body(count - 1), each once, on up to `threads` threads. After the first error no further call
/// begins; that error is returned.
llvm::Error parallelFor(size_t count, unsigned threads, llvm::function_ref<llvm::Error(size_t)> body);

} // namespace kimi::emit
