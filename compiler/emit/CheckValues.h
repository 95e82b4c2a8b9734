// What must hold of the numbers of a quantised weight; looked at while they are packed. Thread rule: a plain function.
#pragma once

#include "compiler/import/Safetensors.h"
#include "dialects/kimi/Kimi.h"

namespace kimi::emit {

/// Codes must be numbers (e4m3 has two codes that are not), scales finite and below 2^119, where kernels may multiply them
/// by 2^8. An error names `tensor`, the element's index in it (`bytes` begin at `firstElement`) and its value.
llvm::Error checkValues(model::QuantisedPart part, import_::DataType type, llvm::ArrayRef<char> bytes,
                        llvm::StringRef tensor, uint64_t firstElement);

} // namespace kimi::emit
