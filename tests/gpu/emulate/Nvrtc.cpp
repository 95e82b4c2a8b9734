// libnvrtc.so.13 for machines without CUDA: the nine functions that passes/codegen/Nvrtc.cpp looks for. A "cubin" of
// this one is an ELF shared object for the CPU whose one symbol runs a block of the kernel (README.md).
#include "Translate.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <string_view>
#include <vector>

extern char **environ;

namespace {

enum Code { kSuccess = 0, kInvalidInput = 3, kInvalidProgram = 4, kInvalidOption = 5, kCompilation = 6, kBuiltin = 7 };

struct Program {
  std::string source, file, log, image;
};

/// Those of NVRTC 13.0, by the value of __CUDA_ARCH__.
const std::map<std::string, int> kArchitectures = {
    {"sm_75", 750},   {"sm_80", 800},    {"sm_86", 860},   {"sm_87", 870},    {"sm_88", 880},   {"sm_89", 890},
    {"sm_90", 900},   {"sm_90a", 900},   {"sm_100", 1000}, {"sm_100a", 1000}, {"sm_103", 1030}, {"sm_103a", 1030},
    {"sm_110", 1100}, {"sm_110a", 1100}, {"sm_120", 1200}, {"sm_120a", 1200}, {"sm_121", 1210}, {"sm_121a", 1210}};

std::string readFile(const std::filesystem::path &path) {
  std::ifstream stream(path, std::ios::binary);
  return (std::ostringstream() << stream.rdbuf()).str();
}

/// A folder that disappears again.
struct Scratch {
  Scratch() {
    std::string pattern = (std::filesystem::temp_directory_path() / "kimi-emulate-XXXXXX").string();
    if (::mkdtemp(pattern.data()))
      path = pattern;
  }
  ~Scratch() {
    std::error_code ignored;
    if (!path.empty())
      std::filesystem::remove_all(path, ignored);
  }
  std::filesystem::path path;
};

/// Runs a program to its end with its messages, in English, in `log`; its exit code, or -1.
int run(const std::vector<std::string> &words, const std::string &log) {
  std::vector<char *> arguments;
  for (const std::string &word : words)
    arguments.push_back(const_cast<char *>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log.c_str(), O_CREAT | O_WRONLY, 0600);
  static char english[] = "LC_ALL=C";
  std::vector<char *> environment{english};
  for (char **variable = environ; *variable; ++variable)
    if (!std::string_view(*variable).starts_with("LC_ALL="))
      environment.push_back(*variable);
  environment.push_back(nullptr);
  pid_t child = 0;
  const int failed = ::posix_spawnp(&child, arguments.front(), &actions, nullptr, arguments.data(), environment.data());
  ::posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  if (failed || ::waitpid(child, &status, 0) != child || !WIFEXITED(status))
    return -1;
  return WEXITSTATUS(status);
}

/// As NVRTC writes it: `file(line): error: what`.
std::string errorAt(const Program &program, const std::string &lineAndText) {
  const size_t colon = lineAndText.find(':');
  return program.file + "(" + lineAndText.substr(0, colon) + "): error" + lineAndText.substr(colon) + "\n";
}

std::string likeNvrtc(const std::string &log) {
  return std::regex_replace(log, std::regex(R"(([^\s:]+):(\d+):\d+: (fatal )?error:)"), "$1($2): error:");
}

/// g++: text → object. What EMULATE_.. hold, CMake knows.
std::vector<std::string> compiling(const std::string &source, const std::string &object, int architecture) {
  return {EMULATE_COMPILER,
          "-c",
          "-Og",
          "-fPIC",
          "-fvisibility=hidden",
          "-std=c++17",
          "-w",
          "-march=x86-64-v3",
          "-ffp-contract=off",    // fused where the text says so: --fmad=false
          "-fno-strict-aliasing", // shared memory holds one type after another
          "-fsanitize=thread",
          "--param",
          "tsan-instrument-func-entry-exit=0", // every access is a call: Races.h
          "-fsanitize=alignment",
          "-fno-diagnostics-show-caret",
          "-D__CUDA_ARCH__=" + std::to_string(architecture),
          "-I" EMULATE_FOLDER,
          "-include",
          EMULATE_FOLDER "/device.h",
          source,
          "-o",
          object};
}

/// g++: object → image. Without -fsanitize, whose functions are in Races.cpp.
std::vector<std::string> linking(const std::string &object, const std::string &image) {
  return {EMULATE_COMPILER, "-shared", object, "-o", image, EMULATE_BLOCK, "-lboost_context"};
}

Code compile(Program &program, int architecture) {
  const std::expected<std::string, std::string> text = emulate::translate(program.source);
  if (!text) {
    program.log = errorAt(program, text.error());
    return kCompilation;
  }
  Scratch scratch;
  const std::string source = scratch.path / "kernel.cpp", object = scratch.path / "kernel.o",
                    image = scratch.path / "kernel.so", log = scratch.path / "log";
  std::ofstream(source) << "#line 1 \"" << program.file << "\"\n" << *text;
  if (run(compiling(source, object, architecture), log) || run(linking(object, image), log)) {
    program.log = likeNvrtc(readFile(log));
    if (program.log.empty())
      program.log = "error: " EMULATE_COMPILER " cannot run here\n";
    return kCompilation;
  }
  program.image = readFile(image);
  program.log = "ptxas info    : 0 bytes gmem\n    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
                "ptxas info    : Used 0 registers, emulated on the CPU\n";
  return kSuccess;
}

Program *programOf(void *handle) { return static_cast<Program *>(handle); }

int give(const std::string &text, char *out, size_t extra) {
  std::memcpy(out, text.c_str(), text.size() + extra);
  return kSuccess;
}

} // namespace

extern "C" {

int nvrtcVersion(int *major, int *minor) {
  *major = 13, *minor = 0;
  return kSuccess;
}

int nvrtcCreateProgram(void **program, const char *source, const char *name, int numHeaders, const char *const *,
                       const char *const *) {
  if (!program || !source || numHeaders)
    return kInvalidInput;
  *program = new Program{source, name ? name : "default_program", "", ""};
  return kSuccess;
}

int nvrtcDestroyProgram(void **program) {
  if (!program || !*program)
    return kInvalidProgram;
  delete programOf(*program);
  *program = nullptr;
  return kSuccess;
}

int nvrtcCompileProgram(void *handle, int numOptions, const char *const *options) {
  if (!handle)
    return kInvalidProgram;
  Program &program = *programOf(handle);
  int architecture = 0;
  for (int i = 0; i < numOptions; ++i) {
    const std::string option = options[i], arch = "--gpu-architecture=";
    if (option.starts_with(arch)) {
      const auto known = kArchitectures.find(option.substr(arch.size()));
      if (known == kArchitectures.end()) {
        program.log = "nvrtc: error: invalid value for --gpu-architecture (-arch)\n";
        return kInvalidOption;
      }
      architecture = known->second;
    } else if (option != "--std=c++17" && option != "--fmad=false" && option != "--ptxas-options=-v") {
      program.log = "nvrtc: error: unrecognized option " + option + " found (not emulated)\n";
      return kInvalidOption;
    }
  }
  return compile(program, architecture ? architecture : 750);
}

int nvrtcGetCUBINSize(void *program, size_t *size) {
  if (!program)
    return kInvalidProgram;
  *size = programOf(program)->image.size();
  return kSuccess;
}

int nvrtcGetCUBIN(void *program, char *image) {
  return program ? give(programOf(program)->image, image, 0) : int(kInvalidProgram);
}

int nvrtcGetProgramLogSize(void *program, size_t *size) {
  if (!program)
    return kInvalidProgram;
  *size = programOf(program)->log.size() + 1;
  return kSuccess;
}

int nvrtcGetProgramLog(void *program, char *log) {
  return program ? give(programOf(program)->log, log, 1) : int(kInvalidProgram);
}

const char *nvrtcGetErrorString(int code) {
  switch (code) {
  case kSuccess:
    return "NVRTC_SUCCESS";
  case kInvalidInput:
    return "NVRTC_ERROR_INVALID_INPUT";
  case kInvalidProgram:
    return "NVRTC_ERROR_INVALID_PROGRAM";
  case kInvalidOption:
    return "NVRTC_ERROR_INVALID_OPTION";
  case kCompilation:
    return "NVRTC_ERROR_COMPILATION";
  default:
    return "NVRTC_ERROR_BUILTIN_OPERATION_FAILURE";
  }
}
}
