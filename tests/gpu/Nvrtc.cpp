#include "tests/gpu/Nvrtc.h"

#include <dlfcn.h>

#include <cstdlib>

namespace kimi::gpu {

namespace {

using Program = void *;

struct Library {
  void *handle = nullptr;
  int (*create)(Program *, const char *, const char *, int, const char *const *,
                const char *const *) = nullptr;
  int (*compile)(Program, int, const char *const *) = nullptr;
  int (*logSize)(Program, size_t *) = nullptr;
  int (*log)(Program, char *) = nullptr;
  int (*cubinSize)(Program, size_t *) = nullptr;
  int (*cubin)(Program, char *) = nullptr;
  int (*destroy)(Program *) = nullptr;

  template <class Function> void find(Function &function, const char *name) {
    function = reinterpret_cast<Function>(dlsym(handle, name));
  }

  Library() {
    const char *home = std::getenv("CUDA_HOME");
    for (const std::string &folder : {std::string(), std::string(home ? home : "/usr/local/cuda") + "/lib64/",
                                      std::string(home ? home : "/usr/local/cuda") + "/lib/"})
      if (!handle)
        handle = dlopen((folder + "libnvrtc.so.13").c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle)
      return;
    find(create, "nvrtcCreateProgram");
    find(compile, "nvrtcCompileProgram");
    find(logSize, "nvrtcGetProgramLogSize");
    find(log, "nvrtcGetProgramLog");
    find(cubinSize, "nvrtcGetCUBINSize");
    find(cubin, "nvrtcGetCUBIN");
    find(destroy, "nvrtcDestroyProgram");
  }
};

const Library &library() {
  static const Library loaded;
  return loaded;
}

} // namespace

bool haveNvrtc() { return library().handle != nullptr; }

Compiled compileText(const std::string &text, const std::string &architecture) {
  const Library &nvrtc = library();
  Compiled result;
  Program program = nullptr;
  if (nvrtc.create(&program, text.c_str(), "kernel.cu", 0, nullptr, nullptr) != 0)
    return result;
  const std::string target = "--gpu-architecture=" + architecture;
  const char *options[] = {target.c_str(), "--std=c++17", "--fmad=false", "--ptxas-options=-v"};
  result.ok = nvrtc.compile(program, 4, options) == 0;
  size_t size = 0;
  if (nvrtc.logSize(program, &size) == 0 && size > 1) {
    result.log.resize(size);
    nvrtc.log(program, result.log.data());
    result.log.resize(size - 1);
  }
  if (result.ok && nvrtc.cubinSize(program, &size) == 0) {
    result.cubin.resize(size);
    nvrtc.cubin(program, result.cubin.data());
  }
  nvrtc.destroy(&program);
  return result;
}

} // namespace kimi::gpu
