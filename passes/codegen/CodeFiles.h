// Where codegen leaves files: machine code under its hash, and dumps for people. And what each target does.
#pragma once

#include "passes/Target.h"

namespace kimi::passes {

class CodeFiles {
public:
  /// Errors are reported at `module`. An empty `dumpDirectory`: no dumps.
  CodeFiles(mlir::ModuleOp module, llvm::StringRef codeDirectory, llvm::StringRef dumpDirectory)
      : module(module), codeDirectory(codeDirectory), dumpDirectory(dumpDirectory) {}

  bool hasDumps() const { return !dumpDirectory.empty(); }
  mlir::LogicalResult dump(llvm::StringRef file, llvm::StringRef text) const;
  /// Writes `code`; returns its file name: XXH3-128 of its bytes in hex, then `extension`.
  mlir::FailureOr<std::string> store(llvm::StringRef code, llvm::StringRef extension) const;
  mlir::LogicalResult fail(llvm::Error error) const;

private:
  mlir::LogicalResult write(llvm::StringRef folder, llvm::StringRef file, llvm::StringRef text) const;

  mlir::ModuleOp module;
  std::string codeDirectory, dumpDirectory;
};

/// Both take `kernels`, tiled copies of the kernels of `module`, apart; they leave on `module` what `plan` needs.
/// CPU: one shared object for all, `kimi.code` on the module.
mlir::LogicalResult generateCpuCode(mlir::ModuleOp module, mlir::ModuleOp kernels, const Target &target,
                                    const CodeFiles &files);
/// CUDA: a cubin for each kernel; `kernel.code` and `kernel.launch` on it. A workspace becomes one more result.
mlir::LogicalResult generateCudaCode(mlir::ModuleOp module, mlir::ModuleOp kernels, const CudaTarget &target,
                                     const CodeFiles &files);

} // namespace kimi::passes
