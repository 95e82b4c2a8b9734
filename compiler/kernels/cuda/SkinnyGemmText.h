// Pieces of source text that the variants of skinny_gemm share. Thread rule: plain functions.
#pragma once

#include "compiler/kernels/cuda/SkinnyGemm.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/raw_ostream.h"

#include <utility>

namespace kimi::cuda {

using SkinnyConstants = std::vector<std::pair<const char *, int64_t>>;

/// The texts of the templates' parts, in this order.
void printParts(llvm::raw_ostream &os, llvm::ArrayRef<llvm::StringLiteral> parts);

/// Opens namespace kimi; `struct Shape` with these constants, the types of the problem's format and its scale
/// rows.
void printShape(llvm::raw_ostream &os, const SkinnyProblem &problem, const SkinnyConstants &constants);

/// The kernel's arguments, in order; `maps`: with the tensor maps at the end.
std::vector<std::string> argumentList(const SkinnyProblem &problem, const Splice &prologue,
                                      const Splice &epilogue, bool maps,
                                      llvm::ArrayRef<std::string> order);

/// The shared memory and the kernel's head, up to its opening brace.
void printKernelHead(llvm::raw_ostream &os, llvm::StringRef name, int threads, int residency,
                     llvm::ArrayRef<std::string> arguments);

/// The name that an argument declares: "residual" of "const Bf16 *residual".
llvm::StringRef argumentName(llvm::StringRef argument);

/// `arguments` in the order of their names in `order`; as they are where that is empty.
std::vector<std::string> inOrder(std::vector<std::string> arguments, llvm::ArrayRef<std::string> order);

/// `Epilogue{out, residual}`: a functor built from its arguments.
std::string constructSplice(llvm::StringRef type, const Splice &splice);

} // namespace kimi::cuda
