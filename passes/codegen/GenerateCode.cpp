// kimi-generate-code: all kernels → one shared object, stored under its hash.
#include "passes/codegen/MachineCode.h"
#include "passes/codegen/Passes.h"

#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVMPass.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVMPass.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/xxhash.h"
#include "llvm/Transforms/Utils/Cloning.h"

namespace kimi::passes {
#define GEN_PASS_DEF_GENERATECODE
#include "passes/codegen/Passes.h.inc"
} // namespace kimi::passes

using namespace mlir;
using namespace kimi::passes;
using kimi::kernel::FuncOp;

namespace {

/// From buffers to the LLVM dialect; upstream's conversions in upstream's order.
void addLowering(OpPassManager &passes) {
  OpPassManager &functions = passes.nest<func::FuncOp>();
  functions.addPass(createUseStackBuffers());
  functions.addPass(createRunOneTask());
  functions.addPass(createCanonicalizerPass());
  functions.addPass(createCSEPass());
  functions.addPass(createWriteStructuredLoops());
  functions.addPass(createCSEPass());
  functions.addPass(createExpandMath());
  functions.addPass(createLoopInvariantCodeMotionPass());
  functions.addPass(memref::createExpandStridedMetadataPass());
  functions.addPass(createLowerAffinePass());
  functions.addPass(createCanonicalizerPass());
  passes.addPass(createSCFToControlFlowPass());
  passes.addPass(createConvertVectorToLLVMPass());
  passes.addPass(createConvertMathToLLVMPass());
  passes.addPass(createFinalizeMemRefToLLVMConversionPass());
  passes.addPass(createArithToLLVMConversionPass());
  passes.addPass(createConvertIndexToLLVMPass());
  passes.addPass(createConvertFuncToLLVMPass());
  passes.addPass(createConvertControlFlowToLLVMPass());
  passes.addPass(createUBToLLVMConversionPass());
  passes.addPass(createReconcileUnrealizedCastsPass());
  passes.addPass(createCanonicalizerPass());
}

std::string hashOf(StringRef bytes) {
  llvm::XXH128_hash_t hash = llvm::xxh3_128bits(llvm::arrayRefFromStringRef(bytes));
  return llvm::utohexstr(hash.high64, true, 16) + llvm::utohexstr(hash.low64, true, 16);
}

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

  LogicalResult fail(llvm::Error error) { return getOperation().emitError() << llvm::toString(std::move(error)); }

  LogicalResult generate() {
    StringRef name = "cpu:x86-64-v3";
    if (auto attribute = getOperation()->getAttrOfType<StringAttr>("kimi.target"))
      name = attribute.getValue();
    auto target = parseCpuTarget(name);
    if (!target)
      return fail(target.takeError());
    OwningOpRef<ModuleOp> kernels = copyKernels();
    if (failed(tile(*kernels)) || failed(lower(*kernels)))
      return failure();
    llvm::LLVMContext context;
    std::unique_ptr<llvm::Module> module = translateModuleToLLVMIR(*kernels, context, "kernels");
    if (!module)
      return getOperation().emitError() << "the kernels could not be translated to LLVM IR";
    if (llvm::Error error = optimise(*module, *target))
      return fail(std::move(error));
    if (failed(dumpCode(*module, *target)))
      return failure();
    auto code = emitSharedObject(*module, *target);
    if (!code)
      return fail(code.takeError());
    return store(*code);
  }

  OwningOpRef<ModuleOp> copyKernels() {
    OwningOpRef<ModuleOp> kernels = ModuleOp::create(getOperation().getLoc());
    for (auto func : getOperation().getOps<FuncOp>()) {
      auto copy = cast<FuncOp>(func->clone());
      copy.setPublic();
      kernels->push_back(copy);
    }
    return kernels;
  }

  /// Tiles the copies and brings their grids home; the originals lose their bodies.
  LogicalResult tile(ModuleOp kernels) {
    PassManager passes(&getContext());
    passes.addNestedPass<FuncOp>(createTileToGrid());
    if (failed(passes.run(kernels)))
      return failure();
    if (failed(dumpText(kernels, "kernels.mlir")))
      return failure();
    SymbolTable symbols(kernels);
    for (auto func : getOperation().getOps<FuncOp>()) {
      func->setAttr(kGridAttr, symbols.lookup(func.getSymName())->getAttr(kGridAttr));
      func->setAttr("kernel.symbol", func.getSymNameAttr());
      func.getBody().getBlocks().clear();
    }
    return success();
  }

  LogicalResult lower(ModuleOp kernels) {
    PassManager passes(&getContext());
    passes.addPass(createBufferizeKernel());
    addLowering(passes);
    return passes.run(kernels);
  }

  LogicalResult write(StringRef folder, StringRef file, StringRef text) {
    llvm::SmallString<128> path(folder);
    llvm::sys::path::append(path, file);
    std::error_code error = llvm::sys::fs::create_directories(folder);
    if (!error) {
      llvm::raw_fd_ostream stream(path, error);
      if (!error)
        stream << text;
      stream.close();
      if (stream.has_error()) {
        error = stream.error();
        stream.clear_error();
      }
    }
    if (error)
      return getOperation().emitError() << "cannot write " << path << ": " << error.message();
    return success();
  }

  LogicalResult dumpText(ModuleOp kernels, StringRef file) {
    if (kernelDump.empty())
      return success();
    std::string text;
    llvm::raw_string_ostream(text) << kernels;
    return write(kernelDump, file, text);
  }

  LogicalResult dumpCode(llvm::Module &module, const CpuTarget &target) {
    if (kernelDump.empty())
      return success();
    std::string text;
    llvm::raw_string_ostream stream(text);
    stream << module;
    std::unique_ptr<llvm::Module> copy = llvm::CloneModule(module);
    auto assembly = emitAssembly(*copy, target);
    if (!assembly)
      return fail(assembly.takeError());
    return success(succeeded(write(kernelDump, "kernels.ll", text)) &&
                   succeeded(write(kernelDump, "kernels.s", *assembly)));
  }

  LogicalResult store(StringRef code) {
    std::string file = hashOf(code) + ".so";
    getOperation()->setAttr(kCodeAttr, StringAttr::get(&getContext(), file));
    return write(codeDirectory, file, code);
  }
};

} // namespace
