// What select and codegen must know of a target. The one place where a target's name is read.
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <string>

namespace kimi::passes {

/// What one task of a generated kernel computes of its result. Rows are tokens.
struct TaskTiles {
  int64_t productRows, productColumns; // sums over a shared dimension: matrix products
  int64_t reductionRows;               // sums along rows: norms, top-k
  int64_t elementwiseRows;
  int64_t attentionHeads; // at most; of one token
};

enum class TargetKind { cpu, cuda };

class Target {
public:
  /// "cpu..", "cuda:sm_90a", "cuda:sm_80"; "cuda:sm_90" is sm_80's code for a Hopper GPU, to check it there. Errors name
  /// the targets there are.
  static llvm::Expected<std::unique_ptr<Target>> parse(llvm::StringRef name);
  /// Of the module's kimi.target; cpu:x86-64-v3 where there is none. Reports errors at the module.
  static mlir::FailureOr<std::unique_ptr<Target>> of(mlir::ModuleOp module);
  virtual ~Target() = default;

  virtual TargetKind kind() const = 0;
  virtual TaskTiles tiles() const = 0;
  /// Whether weights are read best in panels of columns; else along rows.
  virtual bool readsPanels() const = 0;
  const std::string &name() const { return fullName; }

protected:
  explicit Target(llvm::StringRef name) : fullName(name) {}

private:
  std::string fullName;
};

/// An NVIDIA architecture.
class CudaTarget : public Target {
public:
  CudaTarget(llvm::StringRef name, llvm::StringRef architecture, int64_t sharedBytes, int64_t multiprocessors)
      : Target(name), arch(architecture), shared(sharedBytes), processors(multiprocessors) {}
  TargetKind kind() const override { return TargetKind::cuda; }
  TaskTiles tiles() const override;
  bool readsPanels() const override { return false; }
  /// "sm_90a", as NVRTC spells it.
  llvm::StringRef architecture() const { return arch; }
  /// Whether it has wgmma, the copy engine (TMA), clusters and dependent launch.
  bool isHopper() const { return arch == "sm_90a"; }
  /// The most that one block may have.
  int64_t sharedBytes() const { return shared; }
  /// Of the GPUs that kernels are tuned for; others run them, too.
  int64_t multiprocessors() const { return processors; }

private:
  std::string arch;
  int64_t shared, processors;
};

} // namespace kimi::passes
