// The code of CPU targets: all kernels → LLVM IR → one shared object.
#include "passes/codegen/CodeFiles.h"
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
#include "llvm/Transforms/Utils/Cloning.h"

using namespace mlir;

namespace kimi::passes {

/// From buffers to the LLVM dialect; upstream's conversions in upstream's order.
static void addLowering(OpPassManager &passes) {
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

static LogicalResult lower(ModuleOp kernels) {
  PassManager passes(kernels.getContext());
  passes.addPass(createBufferizeKernel());
  addLowering(passes);
  return passes.run(kernels);
}

static LogicalResult dumpCode(llvm::Module &module, const CpuTarget &target, const CodeFiles &files) {
  if (!files.hasDumps())
    return success();
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << module;
  std::unique_ptr<llvm::Module> copy = llvm::CloneModule(module);
  auto assembly = emitAssembly(*copy, target);
  if (!assembly)
    return files.fail(assembly.takeError());
  return success(succeeded(files.dump("kernels.ll", text)) && succeeded(files.dump("kernels.s", *assembly)));
}

LogicalResult generateCpuCode(ModuleOp module, ModuleOp kernels, const Target &chosen, const CodeFiles &files) {
  auto target = parseCpuTarget(chosen.name());
  if (!target)
    return files.fail(target.takeError());
  if (failed(lower(kernels)))
    return failure();
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> llvmModule = translateModuleToLLVMIR(kernels, context, "kernels");
  if (!llvmModule)
    return module.emitError() << "the kernels could not be translated to LLVM IR";
  if (llvm::Error error = optimise(*llvmModule, *target))
    return files.fail(std::move(error));
  if (failed(dumpCode(*llvmModule, *target, files)))
    return failure();
  auto code = emitSharedObject(*llvmModule, *target);
  if (!code)
    return files.fail(code.takeError());
  FailureOr<std::string> file = files.store(*code, ".so");
  if (failed(file))
    return failure();
  module->setAttr(kCodeAttr, StringAttr::get(module.getContext(), *file));
  return success();
}

} // namespace kimi::passes
