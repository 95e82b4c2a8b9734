// The source text: PTX wrappers, the template's parts, constants, functors, and the kernel that joins them.
#include "compiler/kernels/cuda/SkinnyGemm.h"
#include "compiler/kernels/cuda/TemplateText.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>

namespace kimi::cuda {

namespace {

// In the order in which they need one another.
constexpr llvm::StringLiteral parts[] = {"ptx/types.cuh",
                                         "ptx/convert.cuh",
                                         "ptx/mbarrier.cuh",
                                         "ptx/tma.cuh",
                                         "ptx/async_copy.cuh",
                                         "ptx/cluster.cuh",
                                         "ptx/dependency.cuh",
                                         "ptx/registers.cuh",
                                         "ptx/wgmma.cuh",
                                         "ptx/warp.cuh",
                                         "splice.cuh",
                                         "skinny_gemm_memory.cuh",
                                         "skinny_gemm_load.cuh",
                                         "skinny_gemm_multiply.cuh",
                                         "skinny_gemm_finish.cuh",
                                         "skinny_gemm.cuh"};

// The expression for the scale row of `column`: each segment counts its own 128-row blocks.
std::string scaleRow(llvm::ArrayRef<int64_t> segments) {
  std::string text;
  int64_t begin = 0, row = 0;
  for (int64_t segment : segments.drop_back(segments.empty() ? 0 : 1)) {
    text += "column < " + std::to_string(begin + segment) + " ? " + std::to_string(row) + " + (column - " + std::to_string(begin) +
            ") / 128 : ";
    begin += segment;
    row += (segment + 127) / 128;
  }
  return text + std::to_string(row) + " + (column - " + std::to_string(begin) + ") / 128";
}

// Registers of a consumer's thread where all threads together would have too few: the helpers keep 40.
int consumerRegisters(const SkinnyParameters &p, bool transforms) {
  const int warpgroups = p.rowTiles * p.depthGroups, evenly = 65536 / p.residency / (128 * (warpgroups + 1)) / 8 * 8;
  const bool needed = p.tokenTile == 128 && evenly < 160 && !transforms;
  return needed ? std::min(232, (evenly * (warpgroups + 1) - 40) / warpgroups / 8 * 8) : 0;
}

void printShape(llvm::raw_ostream &os, const SkinnyProblem &problem, const SkinnyParameters &p, bool transforms) {
  os << "struct Shape {\n";
  const std::pair<const char *, int64_t> constants[] = {
      {"columns", problem.columns},       {"depth", problem.depth}, {"tokens", problem.tokens}, {"tokenTile", p.tokenTile},
      {"rowTiles", p.rowTiles},           {"depthGroups", p.depthGroups}, {"split", p.split},
      {"weightStages", p.weightStages}, {"tokenStages", p.tokenStages},
      {"successors", p.successors}, {"consumerRegisters", consumerRegisters(p, transforms)}, {"accumulators", p.accumulators}};
  for (auto [name, value] : constants)
    os << "  static constexpr int " << name << " = " << value << ";\n";
  os << "  using Weight = " << (problem.format == SkinnyFormat::bf16xBf16 ? "Bf16" : "E4m3") << ";\n";
  os << "  using Token = " << (problem.format == SkinnyFormat::e4m3xE4m3 ? "E4m3" : "Bf16") << ";\n";
  os << "  static __device__ int scaleRow(int column) { return " << scaleRow(problem.scaleSegments) << "; }\n};\n";
}

// The last word of "const Bf16 *residual".
std::string argumentName(llvm::StringRef argument) { return argument.substr(argument.find_last_of(" *&") + 1).str(); }

// "Epilogue{out, residual}".
std::string construct(llvm::StringRef type, const Splice &splice) {
  return (type + "{" + llvm::join(llvm::map_range(splice.arguments, [](const auto &a) { return argumentName(a); }), ", ") + "}").str();
}

std::vector<std::string> argumentList(const SkinnyProblem &problem, const Splice &prologue, const Splice &epilogue) {
  std::vector<std::string> arguments = {"const long long *dims", "const Shape::Weight *weight"};
  if (problem.format != SkinnyFormat::bf16xBf16)
    arguments.push_back("const float *weightScales");
  arguments.push_back("const Shape::Token *activations");
  if (problem.format == SkinnyFormat::e4m3xE4m3)
    arguments.push_back("const float *tokenScales");
  llvm::append_range(arguments, prologue.arguments);
  llvm::append_range(arguments, epilogue.arguments);
  arguments.push_back("const __grid_constant__ TensorMap weightMap");
  arguments.push_back("const __grid_constant__ TensorMap tokenMap");
  return arguments;
}

} // namespace

std::string skinnyText(llvm::StringRef name, const SkinnyProblem &problem, const SkinnyParameters &parameters,
                       const Splice &prologue, const Splice &epilogue) {
  std::string text;
  llvm::raw_string_ostream os(text);
  for (llvm::StringRef part : parts)
    os << templateText(part) << "\n";
  const SkinnyLaunch launch = skinnyLaunch(problem, parameters, prologue);
  const bool transforms = prologue.kind != SpliceClass::none;
  os << "// Written for this kernel.\nnamespace kimi {\n\n";
  printShape(os, problem, parameters, transforms);
  os << "\n" << (transforms ? prologue.text : "using Prologue = NoPrologue;") << "\n\n" << epilogue.text << "\n\n";
  os << "static_assert(Memory<Shape>::bytes == " << launch.sharedBytes << ");\n";
  os << "static_assert(skinnyThreads<Shape, Prologue>() == " << launch.threads << ");\n\n";
  os << "extern __shared__ __align__(1024) unsigned char sharedMemory[];\n\n";
  os << "extern \"C\" __global__ void __launch_bounds__(" << launch.threads << ", " << parameters.residency << ")\n" << name << "(";
  os << llvm::join(argumentList(problem, prologue, epilogue), ",\n    ") << ") {\n";
  os << "  skinnyGemm<Shape>(sharedMemory, dims, " << (problem.format == SkinnyFormat::bf16xBf16 ? "nullptr" : "weightScales")
     << ", activations, " << (problem.format == SkinnyFormat::e4m3xE4m3 ? "tokenScales" : "nullptr")
     << ", &weightMap, &tokenMap,\n                    " << construct("Prologue", prologue) << ", "
     << construct("Epilogue", epilogue) << ");\n}\n\n} // namespace kimi\n";
  return text;
}

} // namespace kimi::cuda
