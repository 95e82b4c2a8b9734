// The code of CUDA targets: each kernel → CUDA C++ → cubin.
#include "passes/codegen/CodeFiles.h"
#include "passes/codegen/LibraryCall.h"
#include "passes/codegen/Nvrtc.h"
#include "passes/codegen/Passes.h"
#include "passes/codegen/PrintCuda.h"
#include "passes/codegen/TemplateCode.h"
#include "passes/codegen/ThreadLoops.h"
#include "passes/select/LibraryProduct.h"

#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/IR/Threading.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Support/Format.h"

using namespace mlir;
using kimi::kernel::ExtentAttr;
using kimi::kernel::FuncOp;

namespace kimi::passes {

namespace {

/// One kernel on its way.
struct Kernel {
  FuncOp original;
  std::string source;
  kernel::LaunchAttr launch;
  int64_t workspaceBytes = 0; // of one block
  Cubin cubin;

  StringRef name() { return original.getSymName(); }
};

int64_t numberOf(func::FuncOp function, StringRef name) {
  auto value = function->getAttrOfType<IntegerAttr>(name);
  return value ? value.getInt() : 0;
}

LogicalResult lower(ModuleOp kernels, const CudaTarget &target) {
  PassManager passes(kernels.getContext());
  passes.addPass(createBufferizeKernel({/*forGpu=*/true}));
  OpPassManager &functions = passes.nest<func::FuncOp>();
  functions.addPass(createRunOneTask({/*forGpu=*/true}));
  functions.addPass(createCanonicalizerPass());
  functions.addPass(createCSEPass());
  functions.addPass(createDistributeToThreads());
  functions.addPass(createUseSharedMemory({target.sharedBytes()}));
  functions.addPass(createLowerAffinePass());
  functions.addPass(createCanonicalizerPass());
  functions.addPass(createCSEPass());
  functions.addPass(createLoopInvariantCodeMotionPass());
  return passes.run(kernels);
}

/// Compiles all, several at once. The error of the first kernel in order is reported.
LogicalResult compile(MutableArrayRef<Kernel> kernels, const Nvrtc &nvrtc, const CudaTarget &target,
                      const CodeFiles &files) {
  std::vector<std::string> errors(kernels.size());
  parallelFor(kernels.front().original.getContext(), 0, kernels.size(), [&](size_t i) {
    llvm::Expected<Cubin> cubin = nvrtc.compile(kernels[i].name(), kernels[i].source, target.architecture());
    if (cubin)
      kernels[i].cubin = std::move(*cubin);
    else
      errors[i] = llvm::toString(cubin.takeError());
  });
  for (const std::string &error : errors)
    if (!error.empty())
      return files.fail(llvm::createStringError(error));
  return success();
}

/// A table for people: what each kernel takes.
std::string resourceTable(ArrayRef<Kernel> kernels) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << llvm::format("%-64s %8s %9s %12s %11s %11s\n", "kernel", "threads", "registers", "shared bytes", "stack bytes",
                     "cubin bytes");
  for (Kernel kernel : kernels)
    os << llvm::format("%-64s %8d %9d %12d %11d %11d\n", kernel.name().str().c_str(), int(kernel.launch.getThreads()),
                       int(kernel.cubin.resources.registers), int(kernel.launch.getSharedBytes()),
                       int(kernel.cubin.resources.stackBytes), int(kernel.cubin.image.size()));
  return text;
}

/// [grid .., bytes] of i8: a part for each block.
std::pair<RankedTensorType, ArrayAttr> workspaceOf(FuncOp func, int64_t bytes) {
  Builder b(func.getContext());
  SmallVector<int64_t> shape;
  SmallVector<Attribute> dims;
  for (auto extent : func->getAttrOfType<ArrayAttr>(kGridAttr).getAsRange<ExtentAttr>()) {
    bool isKnown = extent.getSymbol() == kernel::DimSymbol::one;
    shape.push_back(isKnown ? llvm::divideCeil(extent.getMultiplier(), extent.getDivisor()) : ShapedType::kDynamic);
    if (!isKnown)
      dims.push_back(extent);
  }
  shape.push_back(bytes);
  return {RankedTensorType::get(shape, b.getI8Type()), b.getArrayAttr(dims)};
}

LogicalResult store(ModuleOp module, Kernel &kernel, const CodeFiles &files) {
  Builder b(module.getContext());
  FailureOr<std::string> file = files.store(kernel.cubin.image, ".cubin");
  if (failed(file))
    return failure();
  kernel.original->setAttr(kKernelCodeAttr, b.getStringAttr(*file));
  kernel.original->setAttr(kLaunchAttr, kernel.launch);
  if (kernel.workspaceBytes > 0) {
    auto [type, dims] = workspaceOf(kernel.original, kernel.workspaceBytes);
    addScratchResult(module, kernel.original, type, dims);
  }
  return files.dump((kernel.name() + ".cubin").str(), kernel.cubin.image);
}

FailureOr<Kernel> writeGenerated(FuncOp original, func::FuncOp function) {
  FailureOr<std::string> text = printCuda(function);
  if (failed(text))
    return failure();
  auto launch = kernel::LaunchAttr::get(original.getContext(), kBlockThreads, numberOf(function, kSharedBytesAttr),
                                        /*cluster=*/1, /*programmatic=*/false, /*tensor_maps=*/nullptr);
  return Kernel{original, *text, launch, numberOf(function, kWorkspaceBytesAttr), {}};
}

FailureOr<Kernel> writeFromTemplate(FuncOp original, const CudaTarget &target) {
  FailureOr<TemplateCode> code = writeTemplate(original, target);
  if (failed(code))
    return failure();
  Builder b(original.getContext());
  original->setAttr(kGridAttr, b.getArrayAttr({ExtentAttr::get(b.getContext(), kernel::DimSymbol::one, code->tasks)}));
  return Kernel{original, code->source, code->launch, 0, {}};
}

} // namespace

LogicalResult generateCudaCode(ModuleOp module, ModuleOp kernelModule, const CudaTarget &target,
                               const CodeFiles &files) {
  llvm::Expected<const Nvrtc *> nvrtc = Nvrtc::get();
  if (!nvrtc)
    return files.fail(nvrtc.takeError());
  if (failed(lower(kernelModule, target)))
    return failure();
  std::vector<Kernel> kernels;
  SymbolTable symbols(kernelModule);
  for (auto func : module.getOps<FuncOp>()) {
    if (isLibraryCall(func)) {
      if (failed(writeLibraryCall(module, func)))
        return failure();
      continue;
    }
    FailureOr<Kernel> kernel = isTemplate(func) ? writeFromTemplate(func, target)
                                                : writeGenerated(func, symbols.lookup<func::FuncOp>(func.getSymName()));
    if (failed(kernel))
      return failure();
    kernel->source = (cudaPrelude() + "\n" + kernel->source).str();
    kernels.push_back(*kernel);
    if (failed(files.dump((func.getSymName() + ".cu").str(), kernel->source)))
      return failure();
  }
  if (kernels.empty())
    return success();
  if (failed(compile(kernels, **nvrtc, target, files)))
    return failure();
  for (Kernel &kernel : kernels)
    if (failed(store(module, kernel, files)))
      return failure();
  return files.dump("resources.txt", resourceTable(kernels));
}

} // namespace kimi::passes
