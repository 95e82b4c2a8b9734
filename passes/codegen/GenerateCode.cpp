// kimi-generate-code: kernel bodies → machine code, stored under its hash.
#include "passes/codegen/CodeFiles.h"
#include "passes/codegen/Passes.h"
#include "passes/codegen/TemplateCode.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/PassManager.h"

namespace kimi::passes {
#define GEN_PASS_DEF_GENERATECODE
#include "passes/codegen/Passes.h.inc"
} // namespace kimi::passes

using namespace mlir;
using namespace kimi::passes;
using kimi::kernel::FuncOp;

namespace {

struct GenerateCode : kimi::passes::impl::GenerateCodeBase<GenerateCode> {
  using GenerateCodeBase::GenerateCodeBase;

  void getDependentDialects(DialectRegistry &registry) const override {
    GenerateCodeBase::getDependentDialects(registry);
    registerCodegenInterfaces(registry);
  }

  void runOnOperation() override {
    if (failed(generate()))
      signalPassFailure();
  }

  LogicalResult generate() {
    FailureOr<std::unique_ptr<Target>> target = Target::of(getOperation());
    if (failed(target))
      return failure();
    CodeFiles files(getOperation(), codeDirectory, kernelDump);
    OwningOpRef<ModuleOp> kernels = copyKernels();
    if (failed(tile(*kernels, files)))
      return failure();
    if (failed(generate(*kernels, **target, files)))
      return failure();
    for (auto func : getOperation().getOps<FuncOp>())
      func.getBody().getBlocks().clear();
    return success();
  }

  LogicalResult generate(ModuleOp kernels, const Target &target, const CodeFiles &files) {
    if (target.kind() == TargetKind::cuda)
      return generateCudaCode(getOperation(), kernels, static_cast<const CudaTarget &>(target), files);
    for (auto func : getOperation().getOps<FuncOp>())
      if (isTemplate(func))
        return func.emitError() << "kernel '" << func.getSymName() << "': " << target.name() << " has no implementation "
                                << func.getImplAttr().getName() << "; it has generated";
    return generateCpuCode(getOperation(), kernels, target, files);
  }

  /// Of the generated kernels; templates take theirs as they are.
  OwningOpRef<ModuleOp> copyKernels() {
    OwningOpRef<ModuleOp> kernels = ModuleOp::create(getOperation().getLoc());
    for (auto func : getOperation().getOps<FuncOp>()) {
      if (isTemplate(func))
        continue;
      auto copy = cast<FuncOp>(func->clone());
      copy.setPublic();
      kernels->push_back(copy);
    }
    return kernels;
  }

  /// Tiles the copies and brings their grids home.
  LogicalResult tile(ModuleOp kernels, const CodeFiles &files) {
    PassManager passes(&getContext());
    passes.addNestedPass<FuncOp>(createTileToGrid());
    if (failed(passes.run(kernels)))
      return failure();
    std::string text;
    llvm::raw_string_ostream(text) << kernels;
    if (failed(files.dump("kernels.mlir", text)))
      return failure();
    SymbolTable symbols(kernels);
    for (auto func : getOperation().getOps<FuncOp>()) {
      if (!isTemplate(func))
        func->setAttr(kGridAttr, symbols.lookup(func.getSymName())->getAttr(kGridAttr));
      func->setAttr(kimi::kernel::kSymbolAttr, func.getSymNameAttr());
    }
    return success();
  }
};

} // namespace
