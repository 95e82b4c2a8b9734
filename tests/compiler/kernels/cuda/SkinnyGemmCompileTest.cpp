// Every shape of the model's small products x bucket x format compiles, without a GPU: no spills, nothing
// serialised (C7510, C7514), no ignored setmaxnreg (C7508), and shared memory as predicted (static_assert in
// the text).
#include "compiler/kernels/cuda/SkinnyGemmAmpere.h"
#include "tests/gpu/Nvrtc.h"
#include "tests/gpu/SkinnySamples.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <future>

namespace kimi::cuda {
namespace {

struct Case {
  SkinnyProblem problem;
  std::string prologue, epilogue, architecture;

  std::string name() const {
    return architecture + " " + std::to_string(problem.columns) + "x" + std::to_string(problem.depth) +
           " format " + std::to_string(static_cast<int>(problem.format)) + ", " +
           std::to_string(problem.tokens) + " tokens, " + prologue + "+" + epilogue;
  }
};

// Empty if all is well.
std::string complaint(const Case &test) {
  const Splice prologue = gpu::samplePrologue(test.prologue), epilogue = gpu::sampleEpilogue(test.epilogue);
  const bool ampere = test.architecture == "sm_80";
  auto parameters = ampere ? chooseSkinnyAmpere(test.problem, prologue, epilogue)
                           : chooseSkinny(test.problem, prologue, epilogue, 132);
  if (!parameters)
    return llvm::toString(parameters.takeError());
  const gpu::Compiled compiled =
      gpu::compileText(ampere ? skinnyTextAmpere("skinny", test.problem, *parameters, epilogue)
                              : skinnyText("skinny", test.problem, *parameters, prologue, epilogue),
                       test.architecture);
  if (!compiled.ok)
    return compiled.log;
  for (const char *bad : {"warning", "C7508", "C7510", "C7514"})
    if (compiled.log.find(bad) != std::string::npos)
      return compiled.log;
  return compiled.log.find("0 bytes spill stores, 0 bytes spill loads") == std::string::npos ? compiled.log
                                                                                             : "";
}

void expectAllCompile(const std::vector<Case> &cases) {
  if (!gpu::haveNvrtc())
    GTEST_SKIP() << "no libnvrtc.so.13: set CUDA_HOME";
  const auto every = [&](size_t first) {
    std::vector<std::string> complaints;
    for (size_t index = first; index < cases.size(); index += 2)
      if (std::string text = complaint(cases[index]); !text.empty())
        complaints.push_back(cases[index].name() + ": " + text);
    return complaints;
  };
  auto other = std::async(std::launch::async, every, 1);
  for (const std::string &text : every(0))
    ADD_FAILURE() << text;
  for (const std::string &text : other.get())
    ADD_FAILURE() << text;
}

std::vector<Case> allShapes(const std::string &architecture, std::vector<SkinnyFormat> formats) {
  std::vector<Case> cases;
  for (auto [columns, depth] :
       {std::pair{2112, 7168}, {12288, 1536}, {7168, 8192}, {4096, 7168}, {7168, 2048}})
    for (int64_t tokens : {1, 16, 64, 128})
      for (SkinnyFormat format : formats) {
        const std::vector<int64_t> segments =
            columns == 2112 ? std::vector<int64_t>{1536, 576} : std::vector<int64_t>{};
        cases.push_back({{columns, depth, tokens, format, segments}, "none", "store", architecture});
      }
  return cases;
}

SkinnyProblem twins(int64_t columns, int64_t depth, int64_t tokens, SkinnyFormat format) {
  return {.columns = columns, .depth = depth, .tokens = tokens, .format = format, .scaleSegments = {}, .twins = true};
}

// What else there is, e4m3 x bf16 and sm_80, tests/compiler/whole compiles as part of whole models.
TEST(SkinnyGemmCompile, EveryShape) {
  expectAllCompile(allShapes("sm_90a", {SkinnyFormat::e4m3xE4m3, SkinnyFormat::bf16xBf16}));
}

TEST(SkinnyGemmCompile, EverySpliceClass) {
  std::vector<Case> cases;
  for (int64_t tokens : {16, 128}) {
    for (const char *epilogue : {"residual", "swiglu", "quantise"}) {
      cases.push_back({{4096, 7168, tokens, SkinnyFormat::e4m3xE4m3, {}}, "none", epilogue, "sm_90a"});
      cases.push_back({{4096, 7168, tokens, SkinnyFormat::bf16xBf16, {}}, "scale", epilogue, "sm_90a"});
    }
    for (SkinnyFormat format : {SkinnyFormat::e4m3xE4m3, SkinnyFormat::e4m3xBf16})
      cases.push_back({twins(4096, 7168, tokens, format), "none", "twin_swiglu", "sm_90a"});
    cases.push_back({twins(4096, 7168, std::min<int64_t>(tokens, 32), SkinnyFormat::e4m3xE4m3), "none", "twin_quantise", "sm_90a"});
    cases.push_back({twins(4096, 7168, tokens, SkinnyFormat::e4m3xBf16), "none", "twin_swiglu", "sm_80"});
    cases.push_back({{256, 7168, tokens, SkinnyFormat::bf16xBf16, {}}, "none", "argmax", "sm_90a"});
    cases.push_back({{4096, 2048, tokens, SkinnyFormat::e4m3xBf16, {}}, "scale", "store", "sm_90a"});
    if (tokens < 128) // SkinnyGemm.AmpereHasLessSharedMemory
      cases.push_back({{256, 7168, tokens, SkinnyFormat::bf16xBf16, {}}, "none", "argmax", "sm_80"});
    cases.push_back({{4096, 2048, tokens, SkinnyFormat::e4m3xBf16, {}}, "none", "swiglu", "sm_80"});
  }
  expectAllCompile(cases);
}

} // namespace
} // namespace kimi::cuda
