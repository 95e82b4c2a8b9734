#include "passes/Target.h"

using namespace mlir;

namespace kimi::passes {

namespace {

class CpuTarget : public Target {
public:
  explicit CpuTarget(llvm::StringRef name) : Target(name) {}
  TargetKind kind() const override { return TargetKind::cpu; }
  // Products: 64 columns are four panels, one register block; 32 rows keep a tile of results and its inputs in the
  // first-level cache. Eight heads share each cached row while it is there.
  TaskTiles tiles() const override {
    return {.productRows = 32, .productColumns = 64, .reductionRows = 4, .elementwiseRows = 16, .attentionHeads = 8};
  }
  // 16 neighbouring columns fill the lanes of a vector, and K runs in one order for GEMV and GEMM.
  bool readsPanels() const override { return true; }
};

} // namespace

// A task is a block of 256 threads: eight warps, each with a column at a time, lanes along K. 16 columns give a product
// of 2112 columns 132 blocks, one for every multiprocessor of an H100. One row of a norm is enough work for a block. Four of
// Kimi-K2's 64 heads: 16 blocks for a single token; with two or eight all batches of 16 and more take longer (H200).
TaskTiles CudaTarget::tiles() const {
  return {.productRows = 16, .productColumns = 16, .reductionRows = 1, .elementwiseRows = 1, .attentionHeads = 4};
}

llvm::Expected<std::unique_ptr<Target>> Target::parse(llvm::StringRef name) {
  if (name == "cpu" || name.starts_with("cpu:"))
    return std::make_unique<CpuTarget>(name);
  // The most shared memory per block: CUDA C++ Programming Guide, table "Technical Specifications per Compute Capability".
  // Multiprocessors: H100 SXM and H200 have 132, A100 and A800 108.
  if (name == "cuda:sm_90a")
    return std::make_unique<CudaTarget>(name, "sm_90a", 227 * 1024, 132);
  if (name == "cuda:sm_80" || name == "cuda:sm_90")
    return std::make_unique<CudaTarget>(name, name.drop_front(strlen("cuda:")), 163 * 1024, 108);
  return llvm::createStringError("target " + name + " is unknown; cpu:x86-64-v3, cpu:x86-64-v4, cpu:aarch64, cpu:native, "
                                 "cuda:sm_90a and cuda:sm_80 are known");
}

FailureOr<std::unique_ptr<Target>> Target::of(ModuleOp module) {
  auto attribute = module->getAttrOfType<StringAttr>("kimi.target");
  llvm::Expected<std::unique_ptr<Target>> target = parse(attribute ? attribute.getValue() : "cpu:x86-64-v3");
  if (!target)
    return module.emitError() << llvm::toString(target.takeError());
  return std::move(*target);
}

} // namespace kimi::passes
