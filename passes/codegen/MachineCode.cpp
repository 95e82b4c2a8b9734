#include "passes/codegen/MachineCode.h"

#include "lld/Common/Driver.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"

LLD_HAS_DRIVER(elf)

namespace kimi::passes {

namespace {

llvm::Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

// Features that change the code of a kernel; others of the host (system instructions, say) would only bind
// the artifact to a machine for nothing.
constexpr llvm::StringLiteral kKernelFeatures[] = {
    "sse3",     "ssse3",    "sse4.1",     "sse4.2",     "popcnt", "avx",     "avx2",     "fma",
    "f16c",     "bmi",      "bmi2",       "lzcnt",      "movbe",  "avx512f", "avx512bw", "avx512cd",
    "avx512dq", "avx512vl", "avx512vnni", "avx512bf16", "neon",   "dotprod", "fullfp16", "lse"};

/// "avx2,fma" → "+avx2,+fma"
std::string enabled(llvm::StringRef names) {
  llvm::SmallVector<llvm::StringRef> parts;
  names.split(parts, ',', -1, /*KeepEmpty=*/false);
  std::string features;
  for (llvm::StringRef part : parts)
    features += (features.empty() ? "+" : ",+") + part.str();
  return features;
}

void initialiseTargets() {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  LLVMInitializeAArch64TargetInfo();
  LLVMInitializeAArch64Target();
  LLVMInitializeAArch64TargetMC();
  LLVMInitializeAArch64AsmPrinter();
}

llvm::Expected<std::unique_ptr<llvm::TargetMachine>> createMachine(const CpuTarget &target) {
  initialiseTargets();
  std::string error;
  llvm::Triple triple(target.triple);
  const llvm::Target *found = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!found)
    return makeError("LLVM knows no target " + target.triple + ": " + error);
  llvm::TargetOptions options;
  // Sums and products stay as written: an fma is an fma in the IR already.
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;
  return std::unique_ptr<llvm::TargetMachine>(
      found->createTargetMachine(triple, target.cpu, target.features, options, llvm::Reloc::PIC_,
                                 std::nullopt, llvm::CodeGenOptLevel::Aggressive));
}

llvm::Expected<std::string> emitFile(llvm::Module &module, const CpuTarget &target,
                                     llvm::CodeGenFileType type) {
  auto machine = createMachine(target);
  if (!machine)
    return machine.takeError();
  llvm::SmallString<0> text;
  llvm::raw_svector_ostream stream(text);
  llvm::legacy::PassManager passes;
  if ((*machine)->addPassesToEmitFile(passes, stream, nullptr, type))
    return makeError("LLVM cannot write code for " + target.triple);
  passes.run(module);
  return text.str().str();
}

llvm::Error link(llvm::StringRef object, llvm::StringRef output) {
  std::string messages;
  llvm::raw_string_ostream stream(messages);
  std::string objectPath = object.str(), outputPath = output.str();
  const char *arguments[] = {"ld.lld",           "-shared",         "-z", "defs", "--build-id=none", "-o",
                             outputPath.c_str(), objectPath.c_str()};
  lld::Result result = lld::lldMain(arguments, stream, stream, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode != 0)
    return makeError("linking the kernels failed: " + messages);
  return llvm::Error::success();
}

} // namespace

std::string nativeTarget() {
  const llvm::StringMap<bool> host = llvm::sys::getHostCPUFeatures();
  std::string names;
  for (llvm::StringRef feature : kKernelFeatures)
    if (host.lookup(feature))
      names += (names.empty() ? "" : ",") + feature.str();
  return "cpu:native(" + names + ")";
}

llvm::Expected<CpuTarget> parseCpuTarget(llvm::StringRef target) {
  constexpr llvm::StringLiteral x86 = "x86_64-unknown-linux-gnu", arm = "aarch64-unknown-linux-gnu";
  if (target == "cpu" || target == "cpu:x86-64-v3")
    return CpuTarget{x86.str(), "x86-64-v3", ""};
  if (target == "cpu:x86-64-v4")
    return CpuTarget{x86.str(), "x86-64-v4", ""};
  if (target == "cpu:aarch64")
    return CpuTarget{arm.str(), "generic", "+neon"};
  if (target == "cpu:native")
    return parseCpuTarget(nativeTarget());
  if (target.consume_front("cpu:native(") && target.consume_back(")")) {
    llvm::Triple host(llvm::sys::getDefaultTargetTriple());
    return CpuTarget{host.str(), host.isX86() ? "x86-64" : "generic", enabled(target)};
  }
  return makeError("there is no target '" + target +
                   "'; there are cpu (= cpu:x86-64-v3), cpu:x86-64-v4, cpu:native, cpu:aarch64");
}

llvm::Error optimise(llvm::Module &module, const CpuTarget &target) {
  auto machine = createMachine(target);
  if (!machine)
    return machine.takeError();
  module.setTargetTriple(llvm::Triple(target.triple));
  module.setDataLayout((*machine)->createDataLayout());
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("no-builtins");
    function.addFnAttr("target-cpu", target.cpu);
    if (!target.features.empty())
      function.addFnAttr("target-features", target.features);
    if (target.cpu != "x86-64-v3")
      function.addFnAttr("prefer-vector-width", "512");
    function.addFnAttr(llvm::Attribute::NoUnwind);
  }
  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = false;
  tuning.SLPVectorization = false;
  llvm::PassBuilder builder(machine->get(), tuning);
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager graph;
  llvm::ModuleAnalysisManager modules;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(graph);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, graph, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2).run(module, modules);
  return llvm::Error::success();
}

llvm::Expected<std::string> emitAssembly(llvm::Module &module, const CpuTarget &target) {
  return emitFile(module, target, llvm::CodeGenFileType::AssemblyFile);
}

llvm::Expected<std::string> emitSharedObject(llvm::Module &module, const CpuTarget &target) {
  auto object = emitFile(module, target, llvm::CodeGenFileType::ObjectFile);
  if (!object)
    return object.takeError();
  llvm::SmallString<128> objectPath, sharedPath;
  if (auto error = llvm::sys::fs::createTemporaryFile("kimic", "o", objectPath))
    return makeError("no temporary file for machine code: " + error.message());
  llvm::FileRemover removeObject(objectPath);
  if (auto error = llvm::sys::fs::createTemporaryFile("kimic", "so", sharedPath))
    return makeError("no temporary file for machine code: " + error.message());
  llvm::FileRemover removeShared(sharedPath);
  std::error_code error;
  {
    llvm::raw_fd_ostream stream(objectPath, error);
    stream << *object;
    stream.close();
    if (error || stream.has_error()) {
      stream.clear_error();
      return makeError("writing machine code to " + objectPath + " failed: is the disk full?");
    }
  }
  if (llvm::Error failed = link(objectPath, sharedPath))
    return failed;
  auto buffer = llvm::MemoryBuffer::getFile(sharedPath);
  if (!buffer)
    return makeError("reading the linked kernels failed: " + buffer.getError().message());
  return (*buffer)->getBuffer().str();
}

} // namespace kimi::passes
