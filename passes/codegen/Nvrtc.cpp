#include "passes/codegen/Nvrtc.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Regex.h"

#include <dlfcn.h>
#include <glob.h>

using namespace llvm;

namespace kimi::passes {

// The C interface of NVRTC 13 (nvrtc.h), as far as it is used.
struct Nvrtc::Functions {
  using Program = void *;
  int (*Version)(int *, int *);
  int (*CreateProgram)(Program *, const char *source, const char *name, int, const char *const *, const char *const *);
  int (*DestroyProgram)(Program *);
  int (*CompileProgram)(Program, int numOptions, const char *const *options);
  int (*GetCUBINSize)(Program, size_t *);
  int (*GetCUBIN)(Program, char *);
  int (*GetProgramLogSize)(Program, size_t *);
  int (*GetProgramLog)(Program, char *);
  const char *(*GetErrorString)(int);
};

namespace {

constexpr StringLiteral kLibrary = "libnvrtc.so.13";

/// Where it may lie, first come first taken.
SmallVector<std::string> candidates() {
  SmallVector<std::string> paths;
  if (auto home = sys::Process::GetEnv("CUDA_HOME"))
    paths.push_back(*home + "/lib64/" + kLibrary.str());
  paths.push_back(kLibrary.str());
  paths.push_back("/usr/local/cuda/lib64/" + kLibrary.str());
  if (auto environment = sys::Process::GetEnv("VIRTUAL_ENV")) {
    glob_t found;
    const std::string pattern = *environment + "/lib/python3*/site-packages/nvidia/cu13/lib/" + kLibrary.str();
    if (::glob(pattern.c_str(), 0, nullptr, &found) == 0)
      paths.append(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    ::globfree(&found);
  }
  return paths;
}

Error describe(StringRef name, const Twine &what) {
  return createStringError("kernel '" + name + "': " + what);
}

/// The first line that says what was wrong.
std::string firstError(StringRef log) {
  SmallVector<StringRef> lines;
  log.split(lines, '\n');
  for (StringRef line : lines)
    if (line.contains("error"))
      return line.trim().str();
  return log.trim().empty() ? "NVRTC gives no reason" : lines.front().trim().str();
}

int64_t numberBefore(StringRef log, StringRef words) {
  SmallVector<StringRef> found;
  int64_t number = 0;
  if (Regex("([0-9]+) " + Regex::escape(words)).match(log, &found))
    (void)found[1].getAsInteger(10, number);
  return number;
}

/// What ptxas did not do as it was told, which costs speed silently: C7508 setmaxnreg, C7510 and C7514 asynchronous wgmma.
StringRef ignoredRequest(StringRef log) {
  SmallVector<StringRef> lines;
  log.split(lines, '\n');
  for (StringRef line : lines)
    if (line.contains("setmaxnreg ignored") || line.contains("C7508") || line.contains("C7510") || line.contains("C7514"))
      return line.trim();
  return {};
}

KernelResources readResources(StringRef log) {
  KernelResources result;
  result.registers = numberBefore(log, "registers");
  result.stackBytes = numberBefore(log, "bytes stack frame");
  result.spillBytes = numberBefore(log, "bytes spill stores") + numberBefore(log, "bytes spill loads");
  result.sharedBytes = numberBefore(log, "bytes smem");
  return result;
}

} // namespace

Expected<const Nvrtc *> Nvrtc::get() {
  static Functions functions;
  static Nvrtc instance;
  static std::string problem = [] {
    void *library = nullptr;
    for (const std::string &path : candidates())
      if (!library)
        library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library)
      return (kLibrary + " was not found: install the CUDA toolkit 13 and set CUDA_HOME, or `pip install nvidia-cuda-nvrtc` "
                         "into an activated virtual environment")
          .str();
    std::string missing;
    auto find = [&](auto &function, const char *name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(library, name));
      if (!function)
        missing = name;
    };
    find(functions.Version, "nvrtcVersion");
    find(functions.CreateProgram, "nvrtcCreateProgram");
    find(functions.DestroyProgram, "nvrtcDestroyProgram");
    find(functions.CompileProgram, "nvrtcCompileProgram");
    find(functions.GetCUBINSize, "nvrtcGetCUBINSize");
    find(functions.GetCUBIN, "nvrtcGetCUBIN");
    find(functions.GetProgramLogSize, "nvrtcGetProgramLogSize");
    find(functions.GetProgramLog, "nvrtcGetProgramLog");
    find(functions.GetErrorString, "nvrtcGetErrorString");
    if (!missing.empty())
      return kLibrary.str() + " has no " + missing + ": NVRTC 13.0 or later is needed";
    int major = 0, minor = 0;
    functions.Version(&major, &minor);
    instance.functions = &functions;
    instance.versionText = std::to_string(major) + "." + std::to_string(minor);
    return std::string();
  }();
  if (!problem.empty())
    return createStringError(problem);
  return &instance;
}

Expected<Cubin> Nvrtc::compile(StringRef name, const std::string &source, StringRef architecture) const {
  const std::string arch = ("--gpu-architecture=" + architecture).str();
  // Products and sums are fused where the IR says so, nowhere else: the text's arithmetic is the IR's.
  const char *options[] = {arch.c_str(), "--std=c++17", "--fmad=false", "--ptxas-options=-v"};
  Functions::Program program = nullptr;
  const std::string file = (name + ".cu").str();
  if (int code = functions->CreateProgram(&program, source.c_str(), file.c_str(), 0, nullptr, nullptr))
    return describe(name, Twine("NVRTC cannot start: ") + functions->GetErrorString(code));
  auto destroy = make_scope_exit([&] { functions->DestroyProgram(&program); });
  const int code = functions->CompileProgram(program, std::size(options), options);
  size_t size = 0;
  functions->GetProgramLogSize(program, &size);
  std::string log(size, '\0');
  functions->GetProgramLog(program, log.data());
  log = StringRef(log).rtrim('\0').str();
  if (code)
    return describe(name, firstError(log));
  Cubin cubin;
  cubin.resources = readResources(log);
  if (cubin.resources.spillBytes > 0)
    return describe(name, "spills " + Twine(cubin.resources.spillBytes) + " bytes per thread of its " +
                              Twine(cubin.resources.registers) + " registers to local memory: change the parameters of its #kernel.impl, or compile with --impl '*=generated'");
  if (StringRef warning = ignoredRequest(log); !warning.empty())
    return describe(name, warning);
  functions->GetCUBINSize(program, &size);
  cubin.image.resize(size);
  if (int failed = functions->GetCUBIN(program, cubin.image.data()))
    return describe(name, Twine("NVRTC has no cubin: ") + functions->GetErrorString(failed));
  return cubin;
}

} // namespace kimi::passes
