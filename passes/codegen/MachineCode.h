// LLVM IR → optimised machine code → one shared object.
#pragma once

#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"

#include <string>

namespace kimi::passes {

/// A CPU target as LLVM names it.
struct CpuTarget {
  std::string triple;   // x86_64-unknown-linux-gnu
  std::string cpu;      // x86-64-v3, or the host's name
  std::string features; // "" or the host's list
};

/// What "cpu:native" means on this machine: "cpu:native(avx2,fma,..)". The features are part of the name, so that a
/// loader can tell whether another machine has them, and a dump compiles to the same code everywhere.
std::string nativeTarget();

/// "cpu", "cpu:x86-64-v3", "cpu:x86-64-v4", "cpu:native", "cpu:native(FEATURES)", "cpu:aarch64". Errors name the targets
/// there are.
llvm::Expected<CpuTarget> parseCpuTarget(llvm::StringRef target);

/// Sets triple, layout and function attributes, and runs LLVM's optimiser. Loops are already vectors: the loop and SLP
/// vectorisers stay off, and no loop may become a library call.
llvm::Error optimise(llvm::Module &module, const CpuTarget &target);

llvm::Expected<std::string> emitAssembly(llvm::Module &module, const CpuTarget &target);

/// Machine code of `module`, linked into a shared object. An undefined symbol is an error that names it.
llvm::Expected<std::string> emitSharedObject(llvm::Module &module, const CpuTarget &target);

} // namespace kimi::passes
